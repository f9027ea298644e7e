"""Write ``examples_survey.jsonl``: 130 invented postings with known roles, to try a survey on.

    python data/compose_survey.py

Titles, duties and employers are drawn from the lists below; the same seed gives the same bytes.
No posting is anybody's, and no model has been trained on them.
"""
# ruff: noqa: E501, S311  (lists read better in long lines; nothing here is secret)

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from pathlib import Path

COMPANIES = (
    "Aldermoor Energy", "Brightlane Retail", "Cobalt Bank", "Dovetail Telecom", "Elmgate Hotels",
    "Fennimore Insurance", "Greywater Rail", "Harrow Health", "Ironbark Software", "Juniper Foods",
    "Kestrel Airways", "Lindenhall Homes",
)  # fmt: skip
CITIES = ("Leeds", "Austin, TX", "Dublin", "Toronto", "Manchester", "Denver, CO", "Bristol")
OPENINGS = (
    "{company} puts people first, and every visit, call and click shows it.",
    "At {company} we are on a mission to delight. Come and grow with us.",
    "{company} has served families and businesses for forty years.",
    "Join {company}, voted a great place to work three years in a row.",
)
CLOSINGS = (
    "We offer a pension, 25 days of leave and a learning budget.",
    "Pay depends on experience. We welcome applications from everybody.",
    "Hybrid working, private medical cover and a yearly bonus.",
    "Please apply with a CV; interviews are held on a rolling basis.",
)

ROLES = {
    "cx_management": (14, (
        "Head of Customer Experience", "Customer Experience Director", "Customer Journey Manager",
        "Customer Experience Program Manager", "Voice of the Customer Lead", "Service Improvement Lead",
    ), (
        "Own the customer experience strategy and the roadmap of improvements across all channels.",
        "Run the listening programme: surveys, interviews, complaints and journey analytics.",
        "Map end-to-end journeys and lead their redesign with operations, digital and product.",
        "Chair the experience council and close the loop on what customers tell us.",
        "Set experience standards and build a customer-centred culture through training.",
        "Answer for NPS, effort and churn to the executive board.",
        "Turn insight into business cases and steer cross-functional change.",
        "Facilitate service blueprint workshops with frontline teams and partners.",
    )),
    "call_center": (27, (
        "Customer Experience Representative", "Customer Experience Associate", "CX Team Leader, Contact Center",
        "Customer Experience Agent (Chat)", "Customer Experience Supervisor", "Customer Care Specialist",
    ), (
        "Answer 60 to 80 inbound calls, chats and emails a shift.",
        "Log every contact in the ticketing system and follow up open cases.",
        "Meet targets for handle time, adherence and quality scores.",
        "Handle complaints, refunds and order changes by phone.",
        "Escalate what you can't resolve to the second line.",
        "Coach agents, monitor calls and plan rotas for the queue.",
        "Work rotating shifts, including evenings and weekends.",
        "Explain bills, deliveries and returns patiently to callers.",
    )),
    "retail_service": (18, (
        "Customer Experience Manager, Store", "Customer Experience Assistant", "Guest Experience Host",
        "Front Desk Guest Experience Agent", "Branch Customer Experience Officer",
    ), (
        "Welcome visitors on the shop floor and keep queues at the tills short.",
        "Open and close the store, count stock and bank the takings.",
        "Check guests in and out and look after the lobby.",
        "Supervise sales assistants, fitting rooms and visual merchandising.",
        "Serve customers at the counter and process cash and card payments.",
        "Solve guests' problems on the spot during your shift.",
        "Plan rotas for the branch and lead the morning huddle.",
    )),
    "account_management": (10, (
        "Customer Success Manager", "Client Experience Manager", "Customer Experience Partner, Key Accounts",
    ), (
        "Look after a portfolio of forty named accounts.",
        "Lead renewals, onboarding and quarterly business reviews with clients.",
        "Drive adoption of the platform and spot churn risk in your accounts.",
        "Be the main contact of each client and coordinate their requests.",
        "Grow accounts through upsell together with sales.",
    )),
    "sales": (8, (
        "Customer Experience Sales Consultant", "Account Executive, CX Solutions", "Business Development Representative",
    ), (
        "Prospect by phone and email and fill the pipeline.",
        "Present our products, negotiate contracts and close deals.",
        "Beat a monthly quota and keep the CRM up to date.",
        "Win new business in your territory at fairs and on visits.",
        "Earn uncapped commission on every sale.",
    )),
    "other": (15, (
        "Software Engineer, Customer Experience", "Executive Assistant, CX", "Cx Engineer (Commissioning)",
        "Employee Experience Partner", "Operations Analyst, CX Platform", "Data Engineer, Customer Experience",
    ), (
        "Build backend services in Python and Go and keep them running.",
        "Manage calendars, travel and board papers for the director.",
        "Test HVAC and electrical systems before buildings are handed over.",
        "Advise managers on hiring, onboarding and engagement of staff.",
        "Maintain data pipelines, warehouses and dashboards.",
        "Review code, write tests and deploy to Kubernetes.",
        "Reconcile invoices and report on budgets.",
    )),
    "usability": (8, ("UX Designer", "Experience Designer, Checkout", "UX Researcher"), (
        "Design wireframes, prototypes and interfaces in Figma.",
        "Plan and run usability tests and interviews about our app.",
        "Maintain the design system with front-end developers.",
        "Turn research on screens and flows into better interaction design.",
        "Present a portfolio of shipped interface work.",
    )),
    "product_management": (7, ("Product Manager, Customer Experience", "Digital Experience Product Owner"), (
        "Own the backlog and the roadmap of the mobile app.",
        "Write user stories and acceptance criteria for two squads.",
        "Prioritise features by value and effort and plan releases.",
        "Work with engineers and designers in sprints.",
        "Track activation and retention of features.",
    )),
    "technical_support": (7, ("Technical Support Engineer", "Customer Experience Engineer", "Help Desk Technician"), (
        "Diagnose software faults that customers report and fix them.",
        "Reproduce bugs, read logs and write knowledge base articles.",
        "Install and repair devices at customers' sites.",
        "Reset accounts and set up laptops for users.",
        "Resolve tickets of the second line within agreed times.",
    )),
    "marketing": (4, ("Brand Experience Manager", "Marketing Manager, Customer Experience"), (
        "Plan brand campaigns, events and sponsorships.",
        "Brief agencies and manage the marketing budget.",
        "Write press releases and product launch messages.",
        "Look after the brand guidelines and creative work.",
    )),
    "digital_marketing": (5, ("CRM and Customer Experience Executive", "Digital Experience Marketer"), (
        "Build email and SMS campaigns and test subject lines.",
        "Optimise paid search, SEO and landing pages.",
        "Segment audiences in the marketing automation tool.",
        "Publish content on social channels and report on clicks.",
    )),
    "market_research": (3, ("Consumer Insights Manager", "Market Research Analyst"), (
        "Run brand tracking and concept tests with consumer panels.",
        "Size markets and report on competitors and trends.",
        "Commission agencies and present consumer research.",
        "Analyse survey data on shopping habits.",
    )),
    "satisfaction_research": (4, ("Customer Experience Analyst", "NPS Analyst"), (
        "Prepare weekly dashboards of NPS and CSAT scores.",
        "Send out satisfaction surveys and clean the responses.",
        "Code open comments and report verbatims to managers.",
        "Maintain the survey platform and its samples.",
    )),
}  # fmt: skip
"""Role: how many, titles, duties."""


PROMISING = (
    "Head of Customer Experience", "Customer Experience Director", "Customer Experience Manager",
    "Director, Customer Experience Strategy",
)  # fmt: skip
"""Titles that every sixth posting of another role borrows."""

PLAIN = ("Service Quality Lead", "Operations Excellence Manager", "Complaints Insight Manager")
"""Titles that every fourth posting of CX management hides behind."""


def compose() -> list[dict[str, str]]:
    """All postings, in the order of a scraper that went from day to day."""
    draw = random.Random(20260503)
    rows = []
    for role, (number, titles, duties) in ROLES.items():
        for i in range(number):
            company = draw.choice(COMPANIES)
            chosen = draw.sample(duties, min(len(duties), 4 + i % 2))
            if i % 2:  # real jobs are mixed
                other = draw.choice([name for name in ROLES if name != role])
                chosen[2:] = draw.sample(ROLES[other][2], 2) + chosen[4:]
                draw.shuffle(chosen)
            title = titles[i % len(titles)]
            if role == "cx_management":
                title = draw.choice(PLAIN) if i % 4 == 3 else title
            elif i % 6 == 5:
                title = draw.choice(PROMISING)
            text = "\n".join(
                [
                    draw.choice(OPENINGS).format(company=company),
                    "What you will do:",
                    *(f"- {duty}" for duty in chosen),
                    draw.choice(CLOSINGS),
                ]
            )
            rows.append(
                {
                    "title": title,
                    "company": company,
                    "location": draw.choice(CITIES),
                    "date_posted": (
                        date(2026, 4, 1) + timedelta(days=draw.randrange(91))
                    ).isoformat(),
                    # Every eleventh posting is known by its title alone, as in many a feed.
                    "description": "" if len(rows) % 11 == 10 else text,
                    "true_role": role,
                }
            )
    draw.shuffle(rows)
    again = {"location": "Remote", "date_posted": "2026-06-30"}
    rows += [{**row, **again} for row in rows[:4]]
    rows.append(
        {
            "title": "Leiter Kundenerlebnis",
            "company": "Harrow Health",
            "location": "Bonn",
            "date_posted": "2026-06-12",
            "description": "Sie verantworten das Kundenerlebnis in allen Kanälen, leiten Befragungen "
            "und gestalten mit den Fachbereichen die Abläufe neu. Wir bieten Ihnen eine "
            "unbefristete Stelle und flexible Arbeitszeiten.",
            "true_role": "cx_management",
        }
    )
    rows.sort(key=lambda row: row["date_posted"])
    return [{"id": f"s{i:03}", **row} for i, row in enumerate(rows, 1)]


if __name__ == "__main__":
    path = Path(__file__).with_name("examples_survey.jsonl")
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in compose()]
    path.write_text("".join(lines), encoding="utf-8")
