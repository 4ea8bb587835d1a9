// Has a worker lay the network out and count followers anew for each topic.

// The worker, and what resolves when it fails. It loads its modules while the page still waits for the network.
export function startWorker(address) {
  const worker = new Worker(address, { type: "module" });
  const failure = new Promise((resolve) => {
    worker.addEventListener("error", resolve);
  });
  return { worker, failure };
}

// `sizes` says what circles stand for, "followers" or "reach". Tells of places as they come.
export function layOut(worker, { network, view, sizes, onPlaces }) {
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
