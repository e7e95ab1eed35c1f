/** The options of a service that code gives beside the configuration. */
import { unknownOptions } from "../../shared/values/option-names.ts"
import { ConfigError } from "../config/config.ts"
import type { PriceFunctions } from "../core/pricing.ts"
import type { BeforeSale } from "../core/sale.ts"
import type { WaitOptions } from "../grants/settlement-waits.ts"
import type { Signer } from "../keys/index.ts"
import type { Logger, Now } from "../ports/runtime.ts"
import type { WorkerOptions } from "../settlement/worker.ts"

export type IssuerOptions = {
  /** Functions that set those prices of an offer that have no amount, by the offer's id. */
  readonly prices?: PriceFunctions
  /**
   * Scalars of the configuration that override it, e.g. `TICKET402_ISSUER`, and `TICKET402_RELAYER_KEY`, which is deleted
   * there once it is read.
   */
  readonly environment?: Record<string, string | undefined>
  readonly log?: Logger
  /** Decides on each paid sale before it happens, and may refuse it with a reason. It fails closed after 2 seconds. */
  readonly beforeSale?: BeforeSale
  /** Seconds since the epoch. */
  readonly now?: Now
  /** Called at every step boundary of an intake or a settlement. */
  readonly onStep?: (step: string) => void
  readonly worker?: WorkerOptions
  /** Signs tokens and receipts in place of keys of the folder, for sellers whose keys a KMS holds. */
  readonly signer?: Signer
  readonly waits?: WaitOptions
  /** Longest time for the body of a request; 10 when not given. */
  readonly bodySeconds?: number
}

const known = {
  prices: true,
  environment: true,
  log: true,
  beforeSale: true,
  now: true,
  onStep: true,
  worker: true,
  signer: true,
  waits: true,
  bodySeconds: true,
} satisfies Record<keyof IssuerOptions, true>
const knownOfWorker = { pollSeconds: true, leaseSeconds: true } satisfies Record<keyof WorkerOptions, true>
const knownOfWaits = { seconds: true, atOnce: true, pollSeconds: true } satisfies Record<
  keyof WaitOptions,
  true
>

/** Throws a {@link ConfigError} that names each unknown option, and the known one that is nearest. */
export function requireKnownOptions(options: IssuerOptions): void {
  const problems = [
    ...unknownOptions("createIssuer(): ", options, Object.keys(known)),
    ...unknownOptions("createIssuer(): worker.", options.worker ?? {}, Object.keys(knownOfWorker)),
    ...unknownOptions("createIssuer(): waits.", options.waits ?? {}, Object.keys(knownOfWaits)),
  ]
  if (problems.length > 0) throw new ConfigError(problems)
}
