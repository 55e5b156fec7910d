import { assert, describe, it } from "@effect/vitest"
import { calls } from "@starform/launchpad/launcher/CommandAccess"
import * as LaunchPorts from "@starform/launchpad/launcher/LaunchPorts"
import { type LaunchFacts, render } from "@starform/launchpad/launcher/LaunchSummary"

const facts: LaunchFacts = {
  ports: LaunchPorts.fromBase(4000),
  readyMs: 4_249,
  sampleHost: "hello-demo.localhost",
  workspace: "local",
  project: "demo",
  token: "sfw_token",
  stateDirectory: "/srv/starform/.starform",
  command: "npm run starform --",
  notes: ["Apps and builds run with your own user's rights."]
}

describe("LaunchSummary", () => {
  it("gives the sample, the API, the cluster and the lines that push one's own app", () => {
    const text = render(facts)
    for (const line of [
      "Starform is ready (4.2 s).",
      "http://hello-demo.localhost:4001",
      "curl -H 'Host: hello-demo.localhost' http://127.0.0.1:4001",
      "http://127.0.0.1:4000",
      "kubectl --kubeconfig /srv/starform/.starform/kubeconfig get pods -A",
      "git remote add starform http://starform:sfw_token@127.0.0.1:4000/git/local/demo/my-app.git",
      "git push starform main",
      "curl -H 'Host: my-app-demo.localhost' http://127.0.0.1:4001",
      "npm run starform -- status -a demo/my-app",
      "Apps and builds run with your own user's rights.",
      "Ctrl-C stops everything."
    ]) {
      assert.include(text, line)
    }
  })

  it("is silent about a sample that is not there", () => {
    assert.notInclude(render({ ...facts, sampleHost: null }), "Sample")
  })
})

describe("CommandAccess", () => {
  it("calls the command from the checkout and from anywhere, and names a state folder that it would not find", () => {
    const usual = { directory: "/srv/star form/.starform", cli: "/srv/star form/.starform/cli.json" }
    assert.deepStrictEqual(calls("/srv/star form", usual), {
      here: "npm run starform --",
      anywhere: "npm --prefix '/srv/star form' run starform --"
    })
    const elsewhere = { directory: "/tmp/state", cli: "/tmp/state/cli.json" }
    assert.deepStrictEqual(calls("/srv/starform", elsewhere), {
      here: "STARFORM_SETTINGS=/tmp/state/cli.json npm run starform --",
      anywhere: "STARFORM_SETTINGS=/tmp/state/cli.json npm --prefix /srv/starform run starform --"
    })
  })
})

describe("LaunchPorts", () => {
  it("are six in a row, none twice", () => {
    const ports = Object.values(LaunchPorts.fromBase(9000)).toSorted()
    assert.deepStrictEqual(ports, [9000, 9001, 9002, 9003, 9004, 9005])
  })
})
