#!/usr/bin/env bash
# Makes a bare cluster Starform's, in the order in which the parts need each other. Every step may be repeated.
#   bootstrap.sh OVERLAY TOKEN_FILE PLATFORM_FOLDER
# OVERLAY: a copy of overlays/template. TOKEN_FILE: the cluster's token. PLATFORM_FOLDER: ca.crt, origin.crt, origin.key, the
# same for every cluster. Needs kubectl with a short-lived kubeconfig, and helm.
set -euo pipefail

if [ $# -ne 3 ]; then
  sed -n 's/^# \{0,2\}//; 2,5p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
overlay="$(cd "$1" && pwd)"
token="$2"
platform="$3"
for file in "$overlay/parameters/cluster.env" "$token" "$platform/ca.crt" "$platform/origin.crt" "$platform/origin.key"; do
  [ -s "$file" ] || { echo "$file is missing or empty" >&2; exit 2; }
done
if grep -q '^CLUSTER_ID=00000000-0000-4000-8000-000000000000$' "$overlay/parameters/cluster.env"; then
  echo "$overlay/parameters/cluster.env still names the template's cluster" >&2
  exit 2
fi

say() { printf '── %s\n' "$*"; }
apply() { kubectl apply --server-side --field-manager=starform-bootstrap "$@"; }

# Release and namespace are the names that the manifests refer to. $1 is also the name of the values file.
chart() {
  local release="$1" namespace="$2" version="$3" reference="$4"
  shift 4
  helm upgrade --install "$release" "$reference" "$@" --version "$version" --namespace "$namespace" \
    --values "$here/charts/$release.values.yaml" --atomic --timeout 10m
}

say "1 namespaces, parameters and secrets"
apply -k "$here/base/namespaces"
apply -k "$overlay/parameters"
for namespace in starform-system starform-telemetry starform-nodes; do
  kubectl create secret generic starform-cluster-token --namespace "$namespace" --from-file="cluster.token=$token" \
    --dry-run=client --output=yaml | apply -f -
done
for namespace in starform-telemetry starform-nodes; do
  kubectl create configmap starform-platform-ca --namespace "$namespace" --from-file="ca.crt=$platform/ca.crt" \
    --dry-run=client --output=yaml | apply -f -
done
kubectl create secret tls starform-origin-certificate --namespace envoy-gateway-system --cert="$platform/origin.crt" \
  --key="$platform/origin.key" --dry-run=client --output=yaml | apply -f -

say "2 Envoy Gateway, then the Gateway and with it the load balancer"
chart envoy-gateway envoy-gateway-system v1.9.0 oci://docker.io/envoyproxy/gateway-helm
apply -k "$here/base/gateway"
kubectl wait --namespace envoy-gateway-system --for=condition=Programmed --timeout=10m gateway/starform

say "3 metrics-server and kube-state-metrics"
chart metrics-server kube-system 3.13.1 metrics-server --repo https://kubernetes-sigs.github.io/metrics-server/
chart kube-state-metrics starform-telemetry 8.4.0 kube-state-metrics \
  --repo https://prometheus-community.github.io/helm-charts

say "4 Fluent Bit, vmagent and Alloy"
apply -k "$here/base/collectors"
chart fluent-bit starform-nodes 0.58.1 fluent-bit --repo https://fluent.github.io/helm-charts
chart vmagent starform-telemetry 0.46.0 victoria-metrics-agent --repo https://victoriametrics.github.io/helm-charts/
chart alloy starform-nodes 1.11.1 alloy --repo https://grafana.github.io/helm-charts

say "5 Shuttle"
apply -k "$overlay"
kubectl rollout status --namespace starform-system --timeout=5m statefulset/shuttle
say "done: Shuttle has listed the cluster and Starbase has answered it"
