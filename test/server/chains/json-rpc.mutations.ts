/** Removes the defences that json-rpc.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/chains/json-rpc.ts", [
    [
      "answers are matched by id",
      "answers.get(call.id)",
      "[...answers.values()][calls.indexOf(call)]",
      "each gets its own answer",
    ],
    [
      "a search for logs is sent alone",
      "|| !shortMethods.has(method)",
      "",
      "are not held up by a search for logs",
    ],
    [
      "a node that refuses shared requests is asked one by one",
      "isShareable = false",
      "isShareable = true",
      "are sent one by one to a node",
    ],
    [
      "only an answer shows that sharing was refused",
      "if (answered.some(Boolean)) isShareable",
      "isShareable",
      "share requests again after a failure",
    ],
    [
      "a result that is missing is no result",
      "answer && answer.result !== undefined",
      "true",
      "fail where a shared answer lacks theirs",
    ],
  ]),
  ...at("server/chains/http-post.ts", [
    [
      "a request ends in time",
      "sent.destroy(new Error(`no answer within ${timeoutMs} ms`))",
      "{}",
      "fails when the answer does not end",
    ],
    [
      "the service's end ends its requests",
      "agent.destroy()",
      "{}",
      "fails at once when the connection is closed",
    ],
    ["an answer is bounded", "if (length > mostBytes)", "if (false)", "fails when the answer is too long"],
  ]),
]
