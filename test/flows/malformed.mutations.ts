/** Removes the defences that malformed.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/adapters/web-request.ts", [
    [
      "a request that the web API rejects is answered",
      "as RequestInit)\n  } catch {",
      "as RequestInit)\n  } catch (error) {\n    throw error",
      "HTP-04, HTP-05",
    ],
  ]),
  ...at("server/http/read-body.ts", [
    [
      "a parameter is given once",
      'if (parameters.has(name)) throw new Refusal("malformed", "Found a parameter given twice.")',
      "",
      "N-6749-2",
    ],
    ["a body is limited", "if (size > maximumBodyBytes) throw", "if (false) throw", "PRS-01"],
  ]),
]
