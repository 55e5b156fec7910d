/** What `npm run test:kubernetes` tells the tests that it runs, and its vitest configuration. */

/** Where the real API server is; `null` in every other run. */
export const realUrl = process.env["STARFORM_KUBERNETES_URL"] ?? null

/** Whether that server has nobody who makes pods. */
export const lacksControllers = realUrl !== null && process.env["STARFORM_KUBERNETES_CONTROLLERS"] !== "yes"

export const environmentOf = (server: {
  readonly url: string
  readonly hasControllers: boolean
}): Readonly<Record<string, string>> => ({
  STARFORM_KUBERNETES_URL: server.url,
  STARFORM_KUBERNETES_CONTROLLERS: server.hasControllers ? "yes" : "no"
})
