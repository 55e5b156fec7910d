/** Plain requests of the preparation and the cleaning, and waiting. */

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>

export const callsTo =
  (url: string): Call =>
  async (method, path, body) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { accept: "application/json", "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await answer.text()
    const isJson = text.startsWith("{")
    return {
      status: answer.status,
      body: isJson ? (JSON.parse(text) as Answer["body"]) : { message: text }
    }
  }

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Whether it held within the time. */
export const within = async (milliseconds: number, holds: () => Promise<boolean>): Promise<boolean> => {
  const deadline = Date.now() + milliseconds
  while (!(await holds())) {
    if (Date.now() > deadline) return false
    await pause(50)
  }
  return true
}

export const problemOf = (asked: string, { body, status }: Answer): Error =>
  new Error(`${asked}: ${status} ${String(body["message"] ?? "")}`)
