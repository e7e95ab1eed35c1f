/** Writes amounts with all their digits, because prom-client keeps values as floats. */
import { type MetricName, metrics } from "../core/metrics.ts"

/** A gauge whose labels have known values. */
export type BoundSample = {
  readonly name: MetricName
  readonly labels: Readonly<Record<string, string>>
  readonly value: number | bigint
}

/** The amounts among the samples, in the text format of Prometheus 0.0.4. */
export function exactText(samples: readonly BoundSample[]): string {
  const families = Object.entries(metrics).flatMap(([name, { type, help }]) => {
    if (type !== "amount") return []
    const lines = samples.filter((sample) => sample.name === name).map(lineOf)
    return [[`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines].join("\n")]
  })
  return `${families.join("\n\n")}\n`
}

function lineOf({ name, labels, value }: BoundSample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`
}

const escaped = (text: string): string =>
  text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')
