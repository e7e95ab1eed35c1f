/** Composes the metrics: the bounds of their labels, and the calls of nodes, transactions and settlements. */
import type { OnCall } from "../chains/node.ts"
import type { Config } from "../config/config.ts"
import { createLabelBounds } from "../metrics/label-bounds.ts"
import { createMetrics } from "../metrics/registry.ts"
import type { Metrics } from "../ports/metrics.ts"
import type { SettlementOutcome } from "../settlement/deps.ts"

export type ServiceMetrics = Metrics & {
  onCall(network: string, ...call: Parameters<OnCall>): void
  /** A transaction of so many payments is mined and took this gas. */
  onMined(network: string, gas: bigint, payments: number): void
  onOutcome(network: string, outcome: SettlementOutcome, seconds: number): void
}

export function createServiceMetrics({ offers }: Pick<Config, "offers">): ServiceMetrics {
  const metrics = createMetrics(createLabelBounds(offers.map(({ id }) => id)))
  return {
    ...metrics,
    onCall(network, place, method, outcome, ms) {
      const node = String(place)
      metrics.counter("ticket402_node_calls_total", { network, node, method, outcome }).add()
      metrics.histogram("ticket402_node_seconds", { network, node }).observe(ms / 1000)
    },
    onMined(network, gas, payments) {
      metrics.counter("ticket402_settlement_gas_total", { network }).add(Number(gas))
      metrics.counter("ticket402_settlement_gas_payments_total", { network }).add(payments)
    },
    onOutcome(network, outcome, seconds) {
      metrics.counter("ticket402_settlements_total", { network, outcome }).add()
      if (outcome === "paid" || outcome === "failed")
        metrics.histogram("ticket402_settlement_seconds", { network, outcome }).observe(seconds)
    },
  }
}
