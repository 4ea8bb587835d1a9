// Shows the result of a public decision as it changes, as a visitor from another origin:
// index.html?site=https://vote.example.org&decision=ID
import { CrowdVote, DecisionDocument, DecisionResultDocument, Refused, type ResultPartsFragment } from "crowdvote-client";

const find = (id: string): HTMLElement => document.getElementById(id)!;

/** Make an element of text: what people have written is never read as HTML. */
function element(name: string, text: string, className = ""): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function row(score: ResultPartsFragment["scores"][number], winner: string | undefined): HTMLElement {
  const made = document.createElement("li");
  const meter = document.createElement("meter");
  meter.max = 5;
  meter.value = score.average;
  meter.setAttribute("aria-hidden", "true");
  made.append(
    element("span", score.choice.title, score.choice.id === winner ? "winner" : ""),
    element("span", `${score.average.toFixed(2)} stars`),
    meter,
  );
  return made;
}

function show(result: ResultPartsFragment | null): void {
  if (!result) {
    find("scores").replaceChildren();
    find("state").textContent = "There is no result yet.";
    return;
  }
  const scores = [...result.scores].sort((a, b) => a.rank - b.rank);
  find("scores").replaceChildren(...scores.map((score) => row(score, result.winner?.id)));
  const { counted, eligible } = result.participation;
  find("state").textContent = `${counted} of ${eligible} ballots. ${result.isFinal ? "This is final." : "Voting goes on."}`;
}

async function main(): Promise<void> {
  const asked = new URLSearchParams(location.search);
  const [address, id] = [asked.get("site"), asked.get("decision")];
  if (!address || !id) throw new Error("Give ?site=https://...&decision=ID");
  // A wall hangs for weeks: it connects again for as long as it takes.
  const socket = { retryAttempts: Infinity, shouldRetry: () => true };
  const site = new CrowdVote(new URL("/graphql/", address).href, { socket });
  const { decision } = await site.ask(DecisionDocument, { id });
  if (!decision) throw new Error("There is no such decision, or it is not public.");
  find("title").textContent = document.title = decision.title;
  for await (const { decisionResult } of site.watch(DecisionResultDocument, { decisionId: id })) show(decisionResult);
}

main().catch((thrown: unknown) => {
  const told = thrown instanceof Refused || thrown instanceof Error ? thrown.message : "The connection has ended.";
  find("state").textContent = told;
});
