/**
 * A lane: one service whose node can be made to fail, on a fast chain; scenarios run on it one after the
 * other.
 */
import type { IssuerOptions } from "../../server/app/issuer-options.ts"
import type { ConfigInput } from "../../server/config/config.ts"
import { sepoliaId } from "../support/offers.ts"
import { type Account, randomAccount } from "../support/payments.ts"
import { type Intercept, type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import { openService, type TestService } from "../support/service.ts"
import type { FastChain } from "./fast-chain.ts"

export type Hold = {
  /**
   * Resolves when the service reaches the step; from then on its calls to the node wait until the release.
   */
  readonly reached: Promise<void>
  release(): void
}

export type Lane = {
  readonly fastChain: FastChain
  readonly service: TestService
  readonly proxy: RpcProxy
  /** Atomic units of the first offer. */
  readonly price: bigint
  /** A new account that holds the price. */
  customer(): Promise<Account>
  /** Holds back the service's calls to the node when it next reaches the step. */
  holdAt(step: string): Hold
  /** Sets the handler of every call; undefined forwards all calls. */
  intercept(handler: Intercept | undefined): void
  close(): Promise<void>
}

export type LaneOptions = {
  readonly confirmations?: number
  readonly config?: Partial<ConfigInput>
  readonly issuer?: IssuerOptions
  /** Handler of every call, from the start of the service on. */
  readonly intercept?: Intercept
}

const confirmations = 2

export async function openLane(fastChain: FastChain, options: LaneOptions = {}): Promise<Lane> {
  const proxy = await startRpcProxy(fastChain.chain.rpcUrl)
  let awaited: { step: string; reach: () => void } | undefined
  const notHeld = Promise.resolve()
  let held: Promise<void> = notHeld
  let intercept = options.intercept
  proxy.intercept = async (call, forward) => {
    await held
    return intercept ? intercept(call, forward) : forward()
  }
  const onStep = (step: string) => {
    options.issuer?.onStep?.(step)
    if (step === awaited?.step) awaited.reach()
  }
  let service: TestService
  try {
    service = await openService({
      chain: fastChain.chain,
      config: {
        networks: {
          [sepoliaId]: { rpcUrls: [proxy.url], confirmations: options.confirmations ?? confirmations },
        },
        ...options.config,
      },
      issuer: {
        now: fastChain.now,
        // The lease expires by the fast clock, and is renewed by a timer of the real clock.
        worker: { pollSeconds: 0.03, leaseSeconds: 600 },
        ...options.issuer,
        onStep,
      },
    })
  } catch (error) {
    await proxy.close()
    throw error
  }
  const price = BigInt(service.accepted.amount)
  return {
    fastChain,
    service,
    proxy,
    price,
    async customer() {
      const account = randomAccount()
      await fastChain.chain.request("anvil_setERC20Balance", [
        account.address,
        fastChain.chain.asset,
        `0x${price.toString(16)}`,
      ])
      return account
    },
    holdAt(step) {
      let release = () => {}
      const reached = new Promise<void>((resolve) => {
        awaited = {
          step,
          reach() {
            awaited = undefined
            held = new Promise((open) => {
              release = open
            })
            resolve()
          },
        }
      })
      return {
        reached,
        release() {
          awaited = undefined
          held = notHeld
          release()
        },
      }
    },
    intercept(handler) {
      intercept = handler
    },
    async close() {
      held = notHeld
      await service.close()
      await proxy.close()
    },
  }
}

/** Path of the lane's database. */
export const fileOf = ({ service }: Lane): string => String(service.config.database).replace(/^sqlite:/, "")
