/** One service behind a node that can fail, in a world whose clock runs fast; stories are told on it one after the other. */
import type { IssuerOptions } from "../../server/app/issuer-options.ts"
import type { ConfigInput } from "../../server/config/config.ts"
import { sepoliaId } from "../support/offers.ts"
import { type Account, randomAccount } from "../support/payments.ts"
import { type Intercept, type RpcProxy, startRpcProxy } from "../support/rpc-proxy.ts"
import { openService, type TestService } from "../support/service.ts"
import type { World } from "./world.ts"

export type Hold = {
  /** Resolves when the service has come to the step; nothing it asks of its node is answered from then on. */
  readonly reached: Promise<void>
  release(): void
}

export type Lane = {
  readonly world: World
  readonly service: TestService
  readonly proxy: RpcProxy
  /** Atomic units of the first offer. */
  readonly price: bigint
  /** A new account with the price in its purse. */
  customer(): Promise<Account>
  /** Keeps the service from its node when it comes to the step next. */
  holdAt(step: string): Hold
  /** Looks at every call; undefined lets all pass. */
  intercept(by: Intercept | undefined): void
  close(): Promise<void>
}

export type LaneOptions = {
  readonly confirmations?: number
  readonly config?: Partial<ConfigInput>
  readonly issuer?: IssuerOptions
  /** Of every call from the start of the service on. */
  readonly intercept?: Intercept
}

const confirmations = 2

export async function openLane(world: World, options: LaneOptions = {}): Promise<Lane> {
  const proxy = await startRpcProxy(world.chain.rpcUrl)
  let wanted: { step: string; reach: () => void } | undefined
  const free = Promise.resolve()
  let held: Promise<void> = free
  let intercept = options.intercept
  proxy.intercept = async (call, forward) => {
    await held
    return intercept ? intercept(call, forward) : forward()
  }
  const onStep = (step: string) => {
    options.issuer?.onStep?.(step)
    if (step === wanted?.step) wanted.reach()
  }
  let service: TestService
  try {
    service = await openService({
      chain: world.chain,
      config: {
        networks: {
          [sepoliaId]: { rpcUrls: [proxy.url], confirmations: options.confirmations ?? confirmations },
        },
        ...options.config,
      },
      issuer: {
        now: world.now,
        // The lease is kept by the fast clock, and renewed by the slow one.
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
    world,
    service,
    proxy,
    price,
    async customer() {
      const account = randomAccount()
      await world.chain.request("anvil_setERC20Balance", [
        account.address,
        world.chain.asset,
        `0x${price.toString(16)}`,
      ])
      return account
    },
    holdAt(step) {
      let release = () => {}
      const reached = new Promise<void>((resolve) => {
        wanted = {
          step,
          reach() {
            wanted = undefined
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
          wanted = undefined
          held = free
          release()
        },
      }
    },
    intercept(by) {
      intercept = by
    },
    async close() {
      held = free
      await service.close()
      await proxy.close()
    },
  }
}

/** The lane's database. */
export const fileOf = ({ service }: Lane): string => String(service.config.database).replace(/^sqlite:/, "")
