/** Bytes to a server over a socket of their own, for requests that no HTTP client would make. */
import { connect } from "node:net"

/** Sends the bytes, says that no more will come, and answers all that came back. Rejects when nothing ends within `seconds`. */
export function sendRaw(port: number, bytes: string | Uint8Array, seconds = 15): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    let answer = ""
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no end within ${seconds} s`))
    }, seconds * 1000)
    socket.setEncoding("latin1").on("data", (text: string) => {
      answer += text
    })
    // A server that has seen enough may reset the connection: what it said before that counts.
    socket.on("error", () => undefined)
    socket.on("close", () => {
      clearTimeout(timer)
      resolve(answer)
    })
    socket.end(bytes)
  })
}

/** The status of every answer, in order. */
export const statusesOf = (answer: string): readonly number[] =>
  [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map((match) => Number(match[1]))
