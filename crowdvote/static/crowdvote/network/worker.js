// Counts followers and lays out away from the page, which stays fluent meanwhile.
//
// In:  {kind: "count", count, followings, topic}           ->  {kind: "counts", topic, followers, reach}
//      {kind: "lay out", count, followings, sizes, frame}  ->  {kind: "places", places, done} again and again
// `followings` are pairs of positions one after the other (follower, followee); `places` are x and y likewise. `sizes` says
// what circles stand for, "followers" or "reach".
import { Layout } from "./forces.js";
import { followersOf, reachOf } from "./reach.js";

const SHOWN_EVERY = 100; // milliseconds

const COUNTS = { followers: followersOf, reach: reachOf };

function layOut({ sizes, count, followings, frame }) {
  const layout = new Layout({ count, followings, frame, numbers: COUNTS[sizes](count, followings) });
  const step = () => {
    const start = performance.now();
    let isGoingOn = true;
    while (isGoingOn && performance.now() - start < SHOWN_EVERY) isGoingOn = layout.tick();
    const places = layout.places();
    postMessage({ kind: "places", places, done: !isGoingOn }, [places.buffer]);
    if (isGoingOn) setTimeout(step, 0);
  };
  step();
}

addEventListener("message", ({ data }) => {
  if (data.kind === "lay out") layOut(data);
  else {
    const { topic, count, followings } = data;
    postMessage({ kind: "counts", topic, followers: followersOf(count, followings), reach: reachOf(count, followings) });
  }
});
