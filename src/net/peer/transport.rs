//! QUIC's settings between nodes (replication §3.1, with the reasons there).

use std::{sync::Arc, time::Duration};

use quinn::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt, congestion::BbrConfig};

const KEEP_ALIVE: Duration = Duration::from_secs(3);
const IDLE_MS: u32 = 15_000;
/// First guess where the round trip is not known: three times it is the first probe timeout, above most real round trips.
const UNKNOWN_RTT: Duration = Duration::from_millis(120);
/// Windows of one stream, bytes. What a slow client does not read stays in them, and all streams of a connection share
/// its window: so this is half of what 500 Mbit/s at 200 ms would want, that a few slow clients do not stop the others.
const STREAM_WINDOW_MAX: u64 = 8 << 20;
const STREAM_WINDOW_MIN: u64 = 1 << 20;
/// Where the round trip is not known.
const STREAM_WINDOW_UNKNOWN: u64 = 4 << 20;
/// All streams of a connection together, received but not yet read, bytes.
const CONNECTION_WINDOW: u32 = 256 << 20;
/// Sent but not yet acknowledged, bytes: 1 Gbit/s at 200 ms twice over.
const SEND_WINDOW: u64 = 64 << 20;
/// First congestion window: the links between an operator's nodes carry this in one flight.
const FIRST_WINDOW: u64 = 256 << 10;
/// Streams that a peer may have open at once on a connection.
const STREAMS: u32 = 4096;

/// Settings of a connection whose round trip is about `rtt`; `streams`: whether the other side may open streams.
pub(super) fn config(rtt: Option<Duration>, accepts: bool) -> Arc<TransportConfig> {
    let mut t = TransportConfig::default();
    let mut bbr = BbrConfig::default();
    bbr.initial_window(FIRST_WINDOW);
    // Few acknowledgements in bulk, prompt ones for small talk: the delay is part of every probe timeout.
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(10)).max_ack_delay(Some(Duration::from_millis(5)));
    t.congestion_controller_factory(Arc::new(bbr))
        .initial_rtt(rtt.map_or(UNKNOWN_RTT, |r| (r * 3 / 2).max(Duration::from_millis(10))))
        .stream_receive_window(stream_window(rtt))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .max_concurrent_bidi_streams(VarInt::from_u32(if accepts { STREAMS } else { 0 }))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .datagram_receive_buffer_size(None)
        .ack_frequency_config(Some(acks));
    Arc::new(t)
}

fn stream_window(rtt: Option<Duration>) -> VarInt {
    let bytes = match rtt {
        // 500 Mbit/s × round trip × 1.25
        Some(r) => (r.as_micros() as u64 * 625 / 8).clamp(STREAM_WINDOW_MIN, STREAM_WINDOW_MAX),
        None => STREAM_WINDOW_UNKNOWN,
    };
    VarInt::from_u64(bytes).unwrap_or(VarInt::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_window_covers_500_mbit_at_the_round_trip() {
        assert_eq!(stream_window(None).into_inner(), 4 << 20);
        assert_eq!(stream_window(Some(Duration::from_millis(1))).into_inner(), 1 << 20);
        assert_eq!(stream_window(Some(Duration::from_millis(80))).into_inner(), 6_250_000);
        assert_eq!(stream_window(Some(Duration::from_millis(500))).into_inner(), 8 << 20);
    }
}
