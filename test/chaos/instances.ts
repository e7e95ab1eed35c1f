/** Several instances on one PostgreSQL: one of them settles and is killed, one is killed while calls are counted. */
import { settlementSteps } from "../../server/settlement/settlement.ts"
import type { LocalChain } from "../support/chain/local-chain.ts"
import { type Cluster, type Instance, prepareCluster } from "../support/cluster.ts"
import { eventually, postToken, retryHeaders, watch } from "../support/service.ts"
import { createTally, type Row, type Tally } from "./table.ts"

export type InstanceCounts = {
  /** Instances that stay; one more settles first and is killed. */
  readonly instances: number
  /** Payments in settlement when their instance is killed. */
  readonly sales: number
  /** Identical posts of one payment. */
  readonly posts: number
  /** Parallel calls on a grant of 100. */
  readonly calls: number
}

const units = 100
const settleSeconds = 60

/** `database`: the address of an empty PostgreSQL database, which nothing else uses. */
export async function manyInstances(
  chain: LocalChain,
  database: string,
  { instances, sales, posts, calls }: InstanceCounts,
): Promise<readonly Row[]> {
  const cluster = await prepareCluster(chain, database)
  try {
    // Alone it has the lease, and dies in the middle of its first settlement.
    const settler = await cluster.start({ killAt: { step: settlementSteps[0], count: 1 } })
    await Promise.all(Array.from({ length: instances }, () => cluster.start()))
    const living = cluster.instances.slice(1)
    return [
      await killSettler(cluster, { settler, living }, sales),
      await postOnce(cluster, living, posts),
      await countCalls(cluster, living, calls),
      await killIdle(cluster, living, calls),
      await killWhileCounting(cluster, living.slice(0, -1), calls),
      await checkBooks(cluster),
    ]
  } finally {
    await cluster.close()
  }
}

const wrong = (tally: Tally, line: string) => tally.flaw({ kind: "wrongVerdicts", line })

async function killSettler(
  cluster: Cluster,
  { settler, living }: { readonly settler: Instance; readonly living: readonly Instance[] },
  sales: number,
): Promise<Row> {
  const tally = createTally("kill -9 of the instance that settles")
  const purchases = await Promise.all(Array.from({ length: sales }, () => cluster.prepare("hour")))
  const urlOf = (at: number) => living[at % living.length]?.url ?? ""
  const sold = await Promise.all(purchases.map(({ headers }, at) => postToken(urlOf(at), headers)))
  for (const { status, body } of sold) if (status !== 200) wrong(tally, `${status} ${JSON.stringify(body)}`)
  if ((await settler.ended) !== "SIGKILL") wrong(tally, "the settling instance was not killed")
  const killedAt = performance.now()
  for (const [at, purchase] of purchases.entries())
    await eventually(
      () => postToken(urlOf(at), retryHeaders(purchase)),
      ({ body }) => body.grant?.settlement.state === "settled",
      settleSeconds,
    ).catch((error: Error) => tally.flaw({ kind: "stuckJobs", line: error.message }))
  tally.note(`settled ${((performance.now() - killedAt) / 1000).toFixed(1)} s after the kill`)
  tally.tried(sales)
  return tally.row()
}

async function postOnce(cluster: Cluster, living: readonly Instance[], posts: number): Promise<Row> {
  const tally = createTally("identical posts at all instances")
  const { headers } = await cluster.prepare("hour")
  const answers = await Promise.all(
    Array.from({ length: posts }, (_, at) => postToken(living[at % living.length]?.url ?? "", headers)),
  )
  const count = (status: number) => answers.filter((answer) => answer.status === status).length
  if (count(200) !== 1) tally.flaw({ kind: "doubleEffects", line: `${count(200)} grants` })
  if (count(409) !== posts - 1) wrong(tally, `${count(409)} of ${posts} posts were refused as repeats`)
  tally.tried(posts)
  return tally.row()
}

/** Sells a grant of 100 calls; `call` resolves to the status, or 0 when the instance went away. */
async function sellCounted(cluster: Cluster, at: Instance) {
  const { body } = await postToken(at.url, (await cluster.prepare("hundred")).headers)
  return async ({ url }: Instance): Promise<number> =>
    (await watch(url, body.access_token).catch(() => ({ status: 0 }))).status
}

const statusCounts = (statuses: readonly number[]) => (status: number) =>
  statuses.filter((each) => each === status).length

async function countCalls(cluster: Cluster, living: readonly Instance[], calls: number): Promise<Row> {
  const tally = createTally("parallel calls on a grant of 100")
  const call = await sellCounted(cluster, living[0] as Instance)
  const statuses = await Promise.all(
    Array.from({ length: calls }, (_, at) => call(living[at % living.length] as Instance)),
  )
  const count = statusCounts(statuses)
  if (count(200) !== units) wrong(tally, `${count(200)} calls passed`)
  if (count(402) !== calls - units) wrong(tally, `${count(402)} calls were refused with 402`)
  tally.tried(calls)
  return tally.row()
}

/** Units that lay idle at the killed instance would be lost. */
async function killIdle(cluster: Cluster, living: readonly Instance[], calls: number): Promise<Row> {
  const tally = createTally("kill -9 of an instance between two calls")
  const call = await sellCounted(cluster, living[0] as Instance)
  const [victim, survivors] = [living.at(-1) as Instance, living.slice(0, -1)]
  const first = await Promise.all(living.map(call))
  await victim.kill("SIGKILL")
  const rest = await Promise.all(
    Array.from({ length: calls }, (_, at) => call(survivors[at % survivors.length] as Instance)),
  )
  const passed = statusCounts([...first, ...rest])(200)
  if (passed !== units) wrong(tally, `${passed} calls passed`)
  tally.tried(calls)
  return tally.row()
}

/** A call that was under way at the killed instance may have been counted; each other unit passes one call. */
async function killWhileCounting(cluster: Cluster, living: readonly Instance[], calls: number): Promise<Row> {
  const tally = createTally("kill -9 of an instance while calls are counted")
  const call = await sellCounted(cluster, living[0] as Instance)
  const victim = living.at(-1) as Instance
  const survivors = living.slice(0, -1)
  let answered = 0
  const statuses = await Promise.all(
    Array.from({ length: calls }, async (_, at) => {
      const status = await call(living[at % living.length] as Instance)
      answered += 1
      if (answered === units / 4) await victim.kill("SIGKILL")
      return status
    }),
  )
  const rest = await Promise.all(
    Array.from({ length: units }, (_, at) => call(survivors[at % survivors.length] as Instance)),
  )
  const count = statusCounts([...statuses, ...rest])
  if (count(200) > units) tally.flaw({ kind: "doubleEffects", line: `${count(200)} calls passed` })
  if (count(200) + count(0) < units) wrong(tally, `${count(200)} calls passed, ${count(0)} were cut off`)
  tally.note(`${count(200)} calls passed, ${count(0)} were cut off`)
  tally.tried(calls)
  return tally.row()
}

async function checkBooks(cluster: Cluster): Promise<Row> {
  const tally = createTally("books of all instances")
  const { difference, brokenInvariants } = await eventually(
    () => cluster.reconcile(),
    (found) => found.difference === "0",
    settleSeconds,
  ).catch(() => cluster.reconcile())
  tally.difference(BigInt(difference))
  if (brokenInvariants > 0) wrong(tally, `${brokenInvariants} broken invariants`)
  tally.tried()
  return tally.row()
}
