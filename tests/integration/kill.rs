//! Power cuts: the whole process group is killed at random moments while it records.
//!
//! After each restart every segment that was ever visible is there with the same bytes, and nothing overlaps.
//! `SOAK_KILLS` says how often (`script/soak-kill` asks for many).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

use crate::harness::{Service, camera};
use crate::random::Random;
use crate::servers;

/// What every run of the tests does; the long version is `script/soak-kill`.
const KILLS: usize = 12;
const STREAMS: [&str; 3] = ["cam0", "cam1", "cam2"];

/// Segment URI to checksum of its bytes.
type Seen = BTreeMap<String, u64>;

#[tokio::test]
async fn a_kill_at_any_moment_loses_at_most_the_segment_in_flight() {
    let kills = std::env::var("SOAK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let scratch = tempfile::tempdir().unwrap();
    let builder = Service::builder().data(&scratch.path().join("data")).set("media.segment_target", "500ms").set("ingest.workers", "2");
    // A killed service is told of on the next start.
    let mut service = builder.announce("killed").announce("recover").start().await;
    let file = camera().seconds(20).gop(12).file();
    let mut senders = Vec::new();
    for id in STREAMS {
        let port = servers::free_udp_port();
        service.client().await.add_stream(id, &format!("udp://127.0.0.1:{port}")).await;
        senders.push(servers::send(&file, "mpegts", &format!("udp://127.0.0.1:{port}?pkt_size=1316")));
    }
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    let mut starts = Vec::new();
    let mut random = Random(0x5eed);
    for kill in 0..kills {
        // Long enough for a few segments, short enough to fall into openings, syncs and commits.
        tokio::time::sleep(Duration::from_millis(100 + random.below(2400) as u64)).await;
        for id in STREAMS {
            note_new_segments(&service, id, seen.entry(id).or_default()).await;
        }
        service.kill();
        let began = Instant::now();
        service.restart().await;
        starts.push(began.elapsed());
        for id in STREAMS {
            let visible = playlist(&service, id).await;
            for uri in seen[id].keys() {
                assert!(visible.contains(uri), "kill {kill}: {id} lost {uri}");
            }
            nothing_overlaps(&service, id).await;
            // One old segment each time, all of them at the end.
            if let Some((uri, sum)) = seen[id].iter().nth(random.below(seen[id].len())) {
                assert_eq!(checksum(&service, id, uri).await, *sum, "kill {kill}: {id} {uri} has other bytes");
            }
        }
    }
    for id in STREAMS {
        assert!(!seen[id].is_empty(), "{id} recorded nothing between {kills} kills");
        for (uri, sum) in &seen[id] {
            assert_eq!(checksum(&service, id, uri).await, *sum, "{id} {uri} has other bytes");
        }
    }
    drop(senders);
    service.stop();
    let findings = service.try_run(&["check", "--json"]);
    assert!(findings.status.success(), "{}", String::from_utf8_lossy(&findings.stdout));
    let quarter = (kills / 4).max(1);
    let (first, last) = (median(&starts[..quarter]), median(&starts[kills - quarter..]));
    let segments: usize = seen.values().map(BTreeMap::len).sum();
    println!("{kills} kills, {segments} segments kept; start {first:?} at first, {last:?} in the end, {:?} at most", starts.iter().max());
    // A few starts say more of the machine than of us.
    assert!(kills < 100 || last < first * 2 + Duration::from_millis(100), "starts take longer and longer: {first:?}, {last:?}");
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}

async fn playlist(service: &Service, id: &str) -> Vec<String> {
    let answer = service.client().await.get(&format!("/v1/streams/{id}/media.m3u8?start=1&end=now")).await;
    if answer.status.as_u16() == 404 {
        return Vec::new();
    }
    let text = answer.expect(200).text();
    text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect()
}

async fn note_new_segments(service: &Service, id: &str, seen: &mut Seen) {
    for uri in playlist(service, id).await {
        if let std::collections::btree_map::Entry::Vacant(new) = seen.entry(uri) {
            let sum = checksum(service, id, new.key()).await;
            new.insert(sum);
        }
    }
}

async fn checksum(service: &Service, id: &str, uri: &str) -> u64 {
    xxh3_64(&service.client().await.get(&format!("/v1/streams/{id}/{uri}")).await.expect(200).body)
}

async fn nothing_overlaps(service: &Service, id: &str) {
    let coverage = service.client().await.coverage(id).await;
    let mut end = 0;
    for run in coverage["runs"].as_array().unwrap() {
        let start = run["start_us"].as_i64().unwrap();
        assert!(start >= end, "{id}: {coverage}");
        end = run["end_us"].as_i64().unwrap();
    }
}
