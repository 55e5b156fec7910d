/** One run of the suite: chooses the server, makes it ready, and leaves it as it was, however the tests end. */
import { environmentOf } from "./RealServer.ts"
import { choose } from "./ServerChoice.ts"
import * as TestServer from "./TestServer.ts"
import * as ServerPrograms from "./ServerPrograms.ts"

type Outcome = { readonly status: number } | { readonly problem: string }

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** @param test runs the tests with more environment; resolves to their exit status */
export const runWith = async (
  environment: Readonly<Record<string, string | undefined>>,
  test: (environment: Readonly<Record<string, string>>) => Promise<number>
): Promise<Outcome> => {
  const choice = choose(environment)
  if (choice._tag === "None") {
    console.log(`test:kubernetes is skipped: ${choice.reason}`)
    return { status: 0 }
  }
  if (choice._tag === "Unusable") return { problem: choice.problem }
  let stop = async (): Promise<void> => {}
  try {
    let kubeconfig = choice._tag === "Kubeconfig" ? choice.file : ""
    if (choice._tag === "Programs") {
      const started = await ServerPrograms.start(choice.programs)
      kubeconfig = started.kubeconfigFile
      stop = started.stop
    }
    const server = await TestServer.open(kubeconfig)
    try {
      console.log(
        `test:kubernetes runs against ${kubeconfig}${server.hasControllers ? "" : ", without the tests that need pods: nobody makes any there"}`
      )
      return { status: await test(environmentOf(server)) }
    } finally {
      await server.close()
    }
  } catch (cause) {
    const isRefused = cause instanceof TestServer.Refused
    return {
      problem: isRefused
        ? `test:kubernetes does not run on this cluster, and has changed nothing:\n${cause.message}`
        : `test:kubernetes failed around the tests: ${messageOf(cause)}`
    }
  } finally {
    await stop()
  }
}
