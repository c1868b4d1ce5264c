"""The alerts and the dashboard ask for metrics that exist, and every alert has a runbook."""

import json
import re

import promql_parser
import pytest
import yaml
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from app.telemetry import metrics
from config import ROOT

MONITORING = ROOT / "deploy/monitoring"
(GROUP,) = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
ALERTS = GROUP["rules"]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# What is read at the moment of a scrape, and what Prometheus itself adds.
READ_WHEN_ASKED = {
    "stripe_linking_build_info": {"python", "flask"},
    "stripe_linking_pending": {"kind"},
    "stripe_linking_pending_oldest_seconds": {"kind"},
    "stripe_linking_needs_person": {"kind"},
    "up": set(),
}
ADDED = {"job", "instance"}


def existing() -> dict[str, set[str]]:
    """Return the labels of every series that a scrape can hold, by its name."""
    found = dict(READ_WHEN_ASKED)
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            labels = set(metric._labelnames)
            if isinstance(metric, Histogram):
                found |= {f"{family.name}{end}": labels for end in ("_count", "_sum")}
                found[f"{family.name}_bucket"] = labels | {"le"}
            else:
                found[family.name + ("_total" if family.type == "counter" else "")] = labels
    return found


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Return what a PromQL expression selects: names, and the labels it selects by."""
    text = str(promql_parser.parse(expression))  # one spelling for all: `name{label="value"}`
    return [
        (name, set(re.findall(r"(\w+)[=!]~?=?\"", inside)))
        for name, inside in re.findall(r"(\w+)\{([^}]*)\}", text)
    ]


def grouped_by(expression: str) -> set[str]:
    """Return the labels that a PromQL expression groups by."""
    return {
        label
        for labels in re.findall(r"\bby \(([^)]*)\)", expression)
        for label in re.split(r",\s*", labels)
    }


def expressions() -> list[tuple[str, str]]:
    asked = [(alert["alert"], alert["expr"]) for alert in ALERTS]
    for panel in PANELS:
        for target in panel["targets"]:
            plain = target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
            asked.append((panel["title"], plain))
    return asked


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_an_expression_asks_for_series_and_labels_that_exist(where, expression):
    series = existing()
    asked = selectors(expression)

    assert asked, where
    for name, labels in asked:
        assert name in series, where
        assert labels <= series[name] | ADDED, where
    assert grouped_by(expression) <= {*ADDED, *(each for name, _ in asked for each in series[name])}


def test_the_series_that_are_listed_by_hand_are_in_a_scrape(client):
    scrape = client.app.test_client().get("/metrics").text

    for name in READ_WHEN_ASKED.keys() - {"up"}:
        assert f"\n{name}{{" in scrape


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_is_complete_and_its_runbook_is_there(alert):
    assert alert.keys() == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[smh]", alert["for"])
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"].endswith(".")

    file, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor == alert["alert"].lower()
    assert alert["alert"] in headings


def test_the_names_of_alerts_and_panels_are_given_once():
    for names in ([alert["alert"] for alert in ALERTS], [panel["title"] for panel in PANELS]):
        assert len(names) == len(set(names))


def test_every_counter_and_gauge_is_on_the_dashboard():
    text = json.dumps(DASHBOARD)

    for name in existing().keys() - {"up"}:
        if not name.endswith(("_sum", "_count")):
            assert name in text, name


def test_the_dashboard_takes_its_data_from_where_the_reader_chooses():
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${source}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
