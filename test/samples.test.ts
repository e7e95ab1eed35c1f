import { readFile } from "node:fs/promises"
import { parser } from "@prometheus-io/lezer-promql"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { metrics } from "../server/core/metrics.ts"
import { example } from "./support/documents.ts"

const sample = (name: string) => readFile(new URL(`../docs/samples/${name}`, import.meta.url), "utf8")

type Rules = { groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[] }
type Dashboard = { panels: { id: number; targets?: { expr: string }[] }[] }

const rules = (parse(await sample("prometheus-rules.yml")) as Rules).groups.flatMap((group) => group.rules)
const panels = (JSON.parse(await sample("grafana-dashboard.json")) as Dashboard).panels
const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

/** Labels that Prometheus itself adds. */
const ownLabels = ["le", "instance", "job"]

/** The series that the table has: a histogram has three for each metric. */
const seriesOf = ([name, { type }]: [string, { type: string }]): readonly string[] =>
  type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
const known = new Set(Object.entries(metrics).flatMap(seriesOf))
const labelsOf = (series: string): readonly string[] => {
  const [, row] = Object.entries(metrics).find((each) => seriesOf(each).includes(series)) ?? []
  return [...(row?.labels ?? []), ...ownLabels]
}

/** The names in a query. Throws for a query that Prometheus could not read. */
function namesIn(query: string): { series: string[]; labels: string[] } {
  const found = { series: [] as string[], labels: [] as string[] }
  // Grafana puts durations in place of its variables.
  const text = query.replaceAll(/\$__\w+/g, "5m")
  parser.parse(text).iterate({
    enter({ name, type, from, to }) {
      if (type.isError) throw new Error(`found ${text.slice(from, to + 20)} in ${text}`)
      if (name === "Identifier") found.series.push(text.slice(from, to))
      if (name === "LabelName") found.labels.push(text.slice(from, to))
    },
  })
  return found
}

function problemsOf(query: string): readonly string[] {
  const { series, labels } = namesIn(query)
  const allowed = new Set(series.flatMap(labelsOf))
  return [
    ...(series.length === 0 ? ["no metric"] : []),
    ...series.filter((name) => !known.has(name)),
    ...labels.filter((label) => !allowed.has(label)),
  ].map((name) => `${name} in ${query}`)
}

describe("the samples for Prometheus and Grafana", () => {
  it("name existing metrics and labels only, in valid expressions", () => {
    const expressions = [...rules.map(({ expr }) => expr), ...queries]
    expect(expressions.length).toBeGreaterThan(30)
    expect(expressions.flatMap(problemsOf)).toEqual([])
  })

  it("notice an unknown metric, an unknown label and a broken expression", () => {
    expect(problemsOf("sum(ticket402_nothing)")).toHaveLength(1)
    expect(problemsOf('ticket402_calls_total{colour="red"}')).toHaveLength(1)
    expect(problemsOf("ticket402_store_seconds")).toHaveLength(1)
    expect(() => problemsOf("sum(ticket402_calls_total")).toThrow("found")
  })

  it("use each metric in a panel of the dashboard or in an alert", () => {
    const used = new Set(
      [...queries, ...rules.map(({ expr }) => expr)].flatMap((query) => namesIn(query).series),
    )
    const unused = Object.entries(metrics).filter((row) => !seriesOf(row).some((name) => used.has(name)))
    expect(unused.map(([name]) => name)).toEqual([])
  })

  it("are loaded by a job that scrapes the address which docs/admin.md opens", async () => {
    const job = parse(example("scrape_configs", "yaml"))
    const address = /"listen": "([^"]+)"/.exec(example('"admin": {', "json"))?.[1]
    expect(job.scrape_configs[0].static_configs).toEqual([{ targets: [address] }])
    for (const file of job.rule_files) expect(await sample(file)).toContain("groups:")
  })

  it("explain each alert in a sentence, under a name of its own", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    for (const { annotations } of rules) expect(annotations.summary).toMatch(/^\S.*\.$/)
  })
})
