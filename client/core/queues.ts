/** Queues of work: tasks of one key run one after the other, tasks of different keys side by side. */
import pLimit, { type LimitFunction } from "p-limit"

export type RunInOrder = <T>(key: string, work: () => Promise<T>) => Promise<T>

export function createQueues(): RunInOrder {
  const queues = new Map<string, LimitFunction>()

  return async (key, work) => {
    const queue = queues.get(key) ?? pLimit(1)
    queues.set(key, queue)
    try {
      return await queue(work)
    } finally {
      if (queue.activeCount + queue.pendingCount === 0) queues.delete(key)
    }
  }
}
