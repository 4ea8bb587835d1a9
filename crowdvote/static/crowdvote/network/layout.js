// Has a worker lay the network out and count followers anew for each topic.

// `sizes` says what circles stand for, "followers" or "reach". Tells of places as they come, and of a failure.
export function startLayout(address, { network, view, sizes, onPlaces, onFailure }) {
  const worker = new Worker(address, { type: "module" });
  worker.addEventListener("error", onFailure);
  worker.addEventListener("message", ({ data }) => {
    if (data.kind === "places") {
      view.places = data.places;
      onPlaces(data.done);
    } else if (data.topic === network.topic) {
      view.setNumbers(data[sizes]);
      network.setCounts(data);
    }
  });
  const ask = (kind, more) => {
    worker.postMessage({ kind, count: network.count, followings: pairs(network.active), ...more });
  };
  const count = () => ask("count", { topic: network.topic });
  network.addEventListener("topic", count);
  count();
  ask("lay out", { sizes, frame: { width: view.width, height: view.height } });
}

function pairs(followings) {
  const numbers = new Int32Array(2 * followings.length);
  followings.forEach(([from, to], i) => numbers.set([from, to], 2 * i));
  return numbers;
}
