/** Defines the port to the metrics: counts and times as they happen, gauges when somebody looks. */
import type { CounterName, GaugeName, HistogramName, LabelsOf } from "../core/metrics.ts"

/** One counter with fixed labels. Keep it where calls are many: adding costs one addition. */
export type Count = { add(amount?: number): void }
/** One histogram with fixed labels. */
export type Timing = { observe(seconds: number): void }

/** A present value. Numbers must be finite. */
export type Sample = {
  [Name in GaugeName]: {
    readonly name: Name
    readonly labels: LabelsOf<Name>
    readonly value: number | bigint
  }
}[GaugeName]

/** Resolves to the present values. Values with the same labels add up; missing ones are not shown. */
export type ReadSamples = () => Promise<readonly Sample[]>

/** Labels with an unknown value count as `other`. No verb throws for a value. */
export type Metrics = {
  counter<Name extends CounterName>(name: Name, labels: LabelsOf<Name>): Count
  histogram<Name extends HistogramName>(name: Name, labels: LabelsOf<Name>): Timing
  /** Read at every scrape, in turn. */
  gauges(read: ReadSamples): void
  /** All metrics in the text format of Prometheus 0.0.4. Rejects when gauges cannot be read. */
  text(): Promise<string>
}
