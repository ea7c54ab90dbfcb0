//! What the monitoring sees of the adapters.

use metrics_exporter_prometheus::PrometheusBuilder;

use super::*;

#[test]
fn every_counter_of_the_device_link_and_the_broker_is_in_the_metrics() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let link = LinkStats { connections: 7, turned_away: 3, tls_failures: 2, ..LinkStats::default() };
    let broker = BrokerStats { subscriptions_refused: 5, ..BrokerStats::default() };
    metrics::with_local_recorder(&recorder, || {
        show_links(&link, Some(&broker));
        show_links(&link, Some(&broker));
    });
    let shown = recorder.handle().render();
    for line in [
        "device_link_connections 7",
        "device_link_turned_away 3",
        "device_link_tls_failures 2",
        "broker_subscriptions_refused 5",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} in {shown}");
    }
    let names = link.counters().into_iter().map(|(name, _)| format!("device_link_{name} "));
    for name in names.chain(broker.counters().into_iter().map(|(name, _)| format!("broker_{name} "))) {
        assert!(shown.lines().any(|line| line.starts_with(&name)), "{name}");
    }
}
