/** Keeps the metrics of one service in a registry of prom-client, and writes them as text. */
import { Counter, Gauge, Histogram, Registry } from "prom-client"
import {
  type CounterName,
  type HistogramName,
  type LabelName,
  type LabelsOf,
  type MetricName,
  metrics,
} from "../core/metrics.ts"
import type { Count, Metrics, ReadSamples, Sample, Timing } from "../ports/metrics.ts"
import { type BoundSample, exactText } from "./exact-text.ts"

/** By label: the value to show, which is one of a bounded number. */
export type LabelBounds = Readonly<Record<LabelName, (value: string) => string>>

type Labels = Readonly<Record<string, string>>

/** Counted here and handed to prom-client at a scrape: its own counters hash their labels at each count. */
type Cell = { readonly labels: Labels; total: number }

/** Registers every metric of the table in a registry of its own. */
export function createMetrics(bounds: LabelBounds): Metrics {
  const registry = new Registry()
  const counters = new Map<string, Map<string, Cell>>()
  const histograms = new Map<string, Histogram>()
  const gauges = new Map<string, Gauge>()
  const reads: ReadSamples[] = []

  for (const [name, { type, labels, help, ...row }] of Object.entries(metrics)) {
    const common = { name, help, labelNames: [...labels], registers: [registry] }
    if (type === "counter") counters.set(name, openCounter(common))
    else if (type === "histogram")
      histograms.set(name, new Histogram({ ...common, buckets: "buckets" in row ? [...row.buckets] : [] }))
    else if (type === "gauge") gauges.set(name, new Gauge(common))
  }

  /** In the order of the table, whatever order the caller's object has. */
  const boundedLabels = (name: MetricName, given: Labels): Labels =>
    Object.fromEntries(
      metrics[name].labels.map((label: LabelName) => [label, bounds[label](given[label] ?? "")]),
    )

  /** Values with the same labels add up. */
  function merged(samples: readonly Sample[]): readonly BoundSample[] {
    const found = new Map<string, BoundSample>()
    for (const { name, labels: given, value } of samples) {
      const labels = boundedLabels(name, given)
      const key = JSON.stringify([name, labels])
      const before = found.get(key)
      found.set(key, { name, labels, value: before ? BigInt(before.value) + BigInt(value) : value })
    }
    return [...found.values()]
  }

  return {
    counter<Name extends CounterName>(name: Name, given: LabelsOf<Name>): Count {
      const cells = required(counters, name)
      const labels = boundedLabels(name, given)
      const key = Object.values(labels).join("\n")
      const cell = cells.get(key) ?? { labels, total: 0 }
      cells.set(key, cell)
      return {
        add(amount = 1) {
          cell.total += amount
        },
      }
    },

    histogram<Name extends HistogramName>(name: Name, given: LabelsOf<Name>): Timing {
      return required(histograms, name).labels(boundedLabels(name, given))
    },

    gauges(read) {
      reads.push(read)
    },

    async text() {
      const samples = merged((await Promise.all(reads.map((read) => read()))).flat())
      // Gauges that are not read this time disappear: an old value must not pass for a present one.
      for (const gauge of gauges.values()) gauge.reset()
      for (const { name, labels, value } of samples) gauges.get(name)?.set(labels, Number(value))
      return `${await registry.metrics()}\n${exactText(samples)}`
    },
  }
}

function openCounter(
  options: Pick<ConstructorParameters<typeof Counter>[0], "name" | "help" | "labelNames" | "registers">,
): Map<string, Cell> {
  const cells = new Map<string, Cell>()
  new Counter({
    ...options,
    collect() {
      this.reset()
      for (const { labels, total } of cells.values()) this.inc(labels, total)
    },
  })
  return cells
}

function required<T>(map: ReadonlyMap<string, T>, name: MetricName): T {
  const found = map.get(name)
  if (!found) throw new Error(`found no metric ${name} of that type`)
  return found
}
