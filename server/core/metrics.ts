/** Lists every metric of the service: its type, its labels and its meaning. */

/**
 * - `counter`    of this process since its start; add the counters of several processes up
 * - `histogram`  of this process, in seconds
 * - `gauge`      read at each scrape
 * - `amount`     a gauge of money or gas, written with all digits
 */
type MetricType = "counter" | "histogram" | "gauge" | "amount"

type MetricRow = {
  readonly type: MetricType
  readonly labels: readonly string[]
  readonly help: string
  /** Upper bounds of a histogram, in seconds. */
  readonly buckets?: readonly number[]
}

/** From a look into memory to the time limit of a node. */
const workSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
/** From one block to the longest life of a payment. */
const settlementSeconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]

export const metrics = {
  ticket402_calls_total: {
    type: "counter",
    labels: ["outcome"],
    help: "calls of gated routes: `passed`, `payment_required` (402), `refused` (any other 4xx), `failed` (5xx), `answered` (without a token, such as OPTIONS)",
  },
  ticket402_gate_refusals_total: {
    type: "counter",
    labels: ["route", "status", "reason"],
    help: "calls that the gate refused, by the pattern of the route, the status of the answer, and the reason",
  },
  ticket402_grants_used_total: {
    type: "counter",
    labels: [],
    help: "grants whose token passed the gate of this process for the first time",
  },
  ticket402_purchases_total: {
    type: "counter",
    labels: ["offer", "outcome"],
    help: "payments that came for an offer: `sold`, `settled_first` (sold; the token follows the money), `topped_up`, `claimed`, `free` (whitelisted), `repeated` (the same answer again), or the reason of the refusal",
  },
  ticket402_settlements_total: {
    type: "counter",
    labels: ["network", "outcome"],
    help: "payments that reached `paid`, `suspended`, `failed` or `dead`; one that is suspended or reorganised reaches another",
  },
  ticket402_settlement_seconds: {
    type: "histogram",
    labels: ["network", "outcome"],
    buckets: settlementSeconds,
    help: "seconds from the sale to `paid` or `failed`",
  },
  ticket402_settlement_gas_total: {
    type: "counter",
    labels: ["network"],
    help: "gas of mined settlements of payers without code",
  },
  ticket402_settlement_gas_payments_total: {
    type: "counter",
    labels: ["network"],
    help: "payments that this gas settled; the quotient of both is the gas of a payment",
  },
  ticket402_node_calls_total: {
    type: "counter",
    labels: ["network", "node", "method", "outcome"],
    help: "calls to a node, by its place in `rpcUrls`: `answered`, `refused` (an error about this call, such as a revert) or `failed`",
  },
  ticket402_node_seconds: {
    type: "histogram",
    labels: ["network", "node"],
    buckets: workSeconds,
    help: "seconds until a node answered or failed, with the wait for `requestsPerSecond`",
  },
  ticket402_store_seconds: {
    type: "histogram",
    labels: ["verb"],
    buckets: workSeconds,
    help: "seconds of each verb of the store",
  },
  ticket402_store_errors_total: {
    type: "counter",
    labels: ["verb"],
    help: "verbs of the store that threw",
  },
  ticket402_signing_seconds: {
    type: "histogram",
    labels: ["kind"],
    buckets: workSeconds,
    help: "seconds to sign a `token`, a `receipt` or a list of `revocations`",
  },
  ticket402_signing_errors_total: {
    type: "counter",
    labels: ["kind"],
    help: "signatures that could not be made",
  },
  ticket402_payments: {
    type: "gauge",
    labels: ["network", "state"],
    help: "payments in the books, by state",
  },
  ticket402_sold_atomic_units: {
    type: "amount",
    labels: ["network", "asset"],
    help: "value of all payments in the books, without those of whitelisted payers: settled, failed and open",
  },
  ticket402_revenue_atomic_units: {
    type: "amount",
    labels: ["network", "asset"],
    help: "value of the payments that are settled",
  },
  ticket402_loss_atomic_units: {
    type: "amount",
    labels: ["network", "asset"],
    help: "value of the payments that failed or are suspended after their token was issued",
  },
  ticket402_queue_payments: {
    type: "gauge",
    labels: [],
    help: "payments that wait for settlement or ride in a transaction that is not mined",
  },
  ticket402_queue_limit_payments: { type: "gauge", labels: [], help: "`limits.queue`" },
  ticket402_exposure_millionths: {
    type: "amount",
    labels: ["limit"],
    help: "value in millionths of the currency: unsettled (`total`), and failed in 24 hours (`dailyLoss`)",
  },
  ticket402_exposure_limit_millionths: {
    type: "amount",
    labels: ["limit"],
    help: "`limits.total` and `limits.dailyLoss`, in millionths of the currency",
  },
  ticket402_failed_gas: {
    type: "amount",
    labels: [],
    help: "gas that failed settlements cost in the last hour",
  },
  ticket402_failed_gas_limit: { type: "amount", labels: [], help: "`limits.failedGas`" },
  ticket402_gas_wei: {
    type: "amount",
    labels: ["network"],
    help: "wei of all relayers; missing while no node answers",
  },
  ticket402_gas_runway_payments: {
    type: "amount",
    labels: ["network"],
    help: "payments that this gas settles at the present fees",
  },
  ticket402_gas_runway_hours: {
    type: "gauge",
    labels: ["network"],
    help: "hours that this gas lasts at the rate of the last hour; missing when none was spent",
  },
  ticket402_active_grants: {
    type: "gauge",
    labels: ["paid"],
    help: "grants that have begun and not ended, without those derived from another: `true` bought, `false` whitelisted",
  },
  ticket402_payers: { type: "gauge", labels: [], help: "payers with a settled payment" },
  ticket402_renewals: {
    type: "gauge",
    labels: [],
    help: "settled payments beyond the first of each payer",
  },
} as const satisfies Readonly<Record<string, MetricRow>>

export type MetricName = keyof typeof metrics
type OfType<T extends MetricType> = {
  [Name in MetricName]: (typeof metrics)[Name]["type"] extends T ? Name : never
}[MetricName]
export type CounterName = OfType<"counter">
export type HistogramName = OfType<"histogram">
export type GaugeName = OfType<"gauge" | "amount">

/** A value for each label of the metric. */
export type LabelsOf<Name extends MetricName> = Readonly<
  Record<(typeof metrics)[Name]["labels"][number], string>
>
/** Every label of any metric. */
export type LabelName = (typeof metrics)[MetricName]["labels"][number]

/** The value of a label that is none of the known ones, so that no caller can make a metric grow. */
export const otherValue = "other"
