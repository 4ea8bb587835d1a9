"""Springfield, a town of some forty members who know different topics and trust each other on them."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts.models import User
from democracy import services
from democracy.demo.following_lists import followings
from democracy.demo.opinions import ballots
from democracy.demo.people import ACCOUNTS, account, named, neighbour
from democracy.files.imported_community import Made
from democracy.files.new_community import NewBallot, NewChoice, NewCommunity, NewDecision, NewMember
from democracy.models import Community, Decision, Membership
from democracy.tags import normalise_tags

NAME = "Springfield"

_MEMBERS: tuple[NewMember, ...] = (
    account("rosa_delgado", is_manager=True),
    account("theo_lindqvist"),
    account("amara_okafor"),
    account("ines_carvalho", is_anonymous=True),
    account("gideon_marsh", role=Membership.Role.LOBBYIST),
    account("mei_tanaka"),
    *map(
        neighbour,
        (
            "Nadia Benali",
            "Oskar Jensen",
            "Lucía Romero",
            "Piotr Wrona",
            "Hana Sato",
            "Farid Rahmani",
            "Greta Vogel",
            "Tomás Silva",
            "Ivy Campbell",
            "Noor Haddad",
            "Elias Berg",
            "Chiara Conti",
            "Dmitri Volkov",
            "Abena Mensah",
            "Ruth Feldman",
            "Kofi Asante",
            "Marta Kovacs",
            "Jonas Weiss",
            "Priya Nair",
            "Liam Gallagher-Hughes",
            "Sofia Lund",
            "Andre Dubois",
            "Yara Khoury",
            "Ben Whitfield",
            "Olga Petrova",
            "Callum Reid",
            "Maya Fischer",
            "Ravi Menon",
            "Clara Novak",
            "Hugo Martin",
            "Leila Farouk",
        ),
    ),
    neighbour("Peter Ashdown", is_anonymous=True),
    neighbour("Wilma de Groot", is_anonymous=True),
    neighbour("Dana Whitlock", role=Membership.Role.LOBBYIST),
)

# Follower, followee, tags. A chain of four ends at Amara on budgets. A loop of three has a way out through Hana. Olga
# and Callum follow only each other on parks, so there they inherit nothing.
_FOLLOWINGS = (
    ("theo_lindqvist", "nadia_benali", "budget"),
    ("nadia_benali", "oskar_jensen", "budget, housing"),
    ("oskar_jensen", "mei_tanaka", "budget"),
    ("mei_tanaka", "amara_okafor", "budget"),
    ("theo_lindqvist", "greta_vogel", "parks, environment"),
    ("theo_lindqvist", "farid_rahmani", "transport"),
    ("lucía_romero", "piotr_wrona", ""),
    ("piotr_wrona", "hana_sato", ""),
    ("hana_sato", "lucía_romero", ""),
    ("hana_sato", "abena_mensah", ""),
    ("olga_petrova", "callum_reid", "parks"),
    ("callum_reid", "olga_petrova", "parks"),
    ("olga_petrova", "amara_okafor", "budget"),
    ("callum_reid", "gideon_marsh", "transport"),
    ("tomás_silva", "amara_okafor", "budget"),
    ("tomás_silva", "greta_vogel", "environment, parks"),
    ("ivy_campbell", "theo_lindqvist", ""),
    ("noor_haddad", "farid_rahmani", "transport"),
    ("noor_haddad", "ruth_feldman", "schools"),
    ("elias_berg", "amara_okafor", "budget"),
    ("elias_berg", "ruth_feldman", "budget, schools"),
    ("chiara_conti", "greta_vogel", ""),
    ("chiara_conti", "abena_mensah", ""),
    ("dmitri_volkov", "gideon_marsh", "budget, transport"),
    ("ines_carvalho", "amara_okafor", "budget"),
    ("ines_carvalho", "ruth_feldman", "schools"),
    ("peter_ashdown", "dana_whitlock", "parks"),
    ("marta_kovacs", "jonas_weiss", ""),
    ("jonas_weiss", "priya_nair", ""),
    ("priya_nair", "sofia_lund", ""),
    ("sofia_lund", "andre_dubois", "budget, transport"),
    ("yara_khoury", "amara_okafor", ""),
    ("ben_whitfield", "greta_vogel", "parks"),
    ("ben_whitfield", "farid_rahmani", "transport"),
    ("maya_fischer", "ivy_campbell", ""),
    ("ravi_menon", "maya_fischer", ""),
    ("hugo_martin", "leila_farouk", "schools"),
    ("leila_farouk", "ruth_feldman", "schools"),
    ("rosa_delgado", "kofi_asante", "transport"),
)


def community(now: datetime) -> NewCommunity:
    """Return Springfield as it stands on the day that the demo is loaded, with half a year behind it."""
    return NewCommunity(
        name=NAME,
        description="The people of Springfield decide together on money, streets and parks. Everybody may read along; "
        "whoever lives here may apply.",
        visibility=Community.Visibility.PUBLIC,
        members=_MEMBERS,
        followings=followings(
            (follower, followee, normalise_tags(tags.split(",")) if tags else [])
            for follower, followee, tags in _FOLLOWINGS
        ),
        decisions=[_lights(now), _festival(now), _surplus(now), _playground(now), _bus(now), _chair(now)],
    )


def _lights(now: datetime) -> NewDecision:
    opens, closes = now - timedelta(days=160), now - timedelta(days=146)
    return NewDecision(
        id="street-lights",
        title="Street lights after midnight",
        description="The lamps of the side streets cost 38,000 a year. What happens with them after midnight?",
        choices=[
            NewChoice("on", "Leave them on"),
            NewChoice("dim", "Dim them to a third"),
            NewChoice("off", "Switch them off until five"),
        ],
        opens_at=opens,
        closes_at=closes,
        ballots=ballots(
            named(
                "rosa_delgado amara_okafor greta_vogel farid_rahmani ruth_feldman abena_mensah "
                "kofi_asante clara_novak andre_dubois wilma_de_groot gideon_marsh dmitri_volkov"
            ),
            [
                (4, {"on": 2, "dim": 5, "off": 3}),
                (3, {"on": 5, "dim": 3, "off": 0}),
                (2, {"on": 0, "dim": 3, "off": 5}),
            ],
            tags=["budget", "environment", "safety"],
            between=(opens, closes),
            seed=1,
            comments={"greta_vogel": "Moths and sleepers will thank us for dimming."},
        ),
    )


def _festival(now: datetime) -> NewDecision:
    opens, closes = now - timedelta(days=40), now - timedelta(days=26)
    return NewDecision(
        id="summer-festival",
        title="Where shall the summer festival be?",
        description="Three places could hold us all. The market square costs least, the river meadow is prettiest.",
        choices=[
            NewChoice("square", "Market square", "Power and water are there; the shops stay open."),
            NewChoice("meadow", "River meadow", "Shade and a stage by the water; we rent generators."),
            NewChoice("mill", "Old mill yard", "Dry in any weather, room for 400."),
            NewChoice("none", "No festival this year"),
        ],
        opens_at=opens,
        closes_at=closes,
        ballots=ballots(
            named(
                "rosa_delgado mei_tanaka amara_okafor ines_carvalho nadia_benali greta_vogel "
                "farid_rahmani abena_mensah ruth_feldman kofi_asante liam_gallagher-hughes clara_novak "
                "andre_dubois leila_farouk hugo_martin peter_ashdown olga_petrova"
            ),
            [
                (5, {"square": 2, "meadow": 5, "mill": 4, "none": 0}),
                (4, {"square": 5, "meadow": 1, "mill": 4, "none": 1}),
                (1, {"square": 0, "meadow": 0, "mill": 2, "none": 5}),
            ],
            tags=["culture", "budget"],
            between=(opens, closes),
            seed=2,
            comments={
                "abena_mensah": "The mill yard saved us in the rain of three years ago.",
                "kofi_asante": "Close the square to cars for one evening. It will be fine.",
            },
        ),
    )


def _surplus(now: datetime) -> NewDecision:
    opens = now - timedelta(days=6)
    return NewDecision(
        id="surplus",
        title="What do we do with the budget surplus?",
        description="The year closed with 240,000 to spare. The council asks where it should go first. "
        "Give every choice as many stars as you like it.",
        choices=[
            NewChoice("school", "Mend the school roof", "Before the winter; 180,000."),
            NewChoice("reserve", "Keep it in reserve", "For the year that will not be so good."),
            NewChoice("paths", "Bicycle paths to the station", "2.4 km, lit; 210,000."),
            NewChoice("tax", "Lower the property tax", "About 60 for each household, once."),
            NewChoice("library", "Open the library on Sundays", "Two years of wages; 95,000."),
        ],
        opens_at=opens,
        closes_at=now + timedelta(days=8),
        topics=["budget"],
        ballots=[
            *ballots(
                named(
                    "rosa_delgado amara_okafor abena_mensah ruth_feldman kofi_asante gideon_marsh "
                    "liam_gallagher-hughes andre_dubois clara_novak wilma_de_groot farid_rahmani"
                ),
                [
                    (5, {"school": 5, "reserve": 2, "paths": 3, "tax": 0, "library": 4}),
                    (3, {"school": 3, "reserve": 5, "paths": 1, "tax": 4, "library": 0}),
                    (3, {"school": 3, "reserve": 1, "paths": 5, "tax": 0, "library": 3}),
                ],
                tags=["budget"],
                between=(opens, now - timedelta(hours=2)),
                seed=3,
                comments={
                    "amara_okafor": "The roof gets 15,000 dearer every winter. The paths can wait, rain cannot.",
                    "kofi_asante": "Half of us cross the main road to reach the station. Somebody will get hurt.",
                    "gideon_marsh": "Money that is given back is never wasted.",
                },
                fixed={
                    "amara_okafor": {"school": 5, "reserve": 3, "paths": 2, "tax": 0, "library": 3},
                    "gideon_marsh": {"school": 1, "reserve": 2, "paths": 0, "tax": 5},
                },
            ),
            NewBallot("hugo_martin", {}, abstain=True, cast_at=now - timedelta(days=2)),
        ],
    )


def _playground(now: datetime) -> NewDecision:
    opens = now - timedelta(days=3)
    return NewDecision(
        id="playground",
        title="A new playground at Mill Pond",
        description="The old one is closed since spring. Which of the three designs do we build?",
        choices=[
            NewChoice("nature", "Logs, water and sand"),
            NewChoice("tower", "Climbing tower"),
            NewChoice("all", "Low equipment that every child can use"),
        ],
        opens_at=opens,
        closes_at=now + timedelta(days=25),
        topics=["parks", "schools"],
        ballots=ballots(
            named(
                "greta_vogel ruth_feldman leila_farouk abena_mensah dana_whitlock clara_novak "
                "andre_dubois rosa_delgado maya_fischer"
            ),
            [
                (3, {"nature": 5, "tower": 2, "all": 4}),
                (2, {"nature": 1, "tower": 5, "all": 2}),
                (3, {"nature": 3, "all": 5}),
            ],
            tags=["parks", "schools"],
            between=(opens, now - timedelta(hours=1)),
            seed=4,
            comments={"ruth_feldman": "My class has two children in wheelchairs. They want to play, too."},
        ),
    )


def _bus(now: datetime) -> NewDecision:
    opens = now - timedelta(days=4)
    return NewDecision(
        id="bus-line",
        title="Which way should bus 7 go?",
        description="Results are shown whenever five more ballots have changed, so that nobody reads single votes.",
        choices=[
            NewChoice("hospital", "Past the hospital"),
            NewChoice("school", "Past the school"),
            NewChoice("direct", "Straight to the station"),
            NewChoice("ring", "Around the ring road"),
        ],
        opens_at=opens,
        closes_at=now + timedelta(days=45),
        results_visibility=Decision.Visibility.BATCHED,
        ballots=ballots(
            named(
                "farid_rahmani gideon_marsh kofi_asante nadia_benali yara_khoury priya_nair andre_dubois "
                "peter_ashdown mei_tanaka ines_carvalho"
            ),
            [
                (3, {"hospital": 5, "school": 3, "direct": 2, "ring": 0}),
                (3, {"hospital": 2, "school": 1, "direct": 5, "ring": 1}),
                (2, {"hospital": 3, "school": 5, "direct": 1, "ring": 2}),
            ],
            tags=["transport"],
            between=(opens, now - timedelta(hours=5)),
            seed=5,
        ),
    )


def _chair(now: datetime) -> NewDecision:
    opens = now - timedelta(days=2)
    return NewDecision(
        id="library-chair",
        title="Who chairs the library council?",
        description="An election of persons: the result is shown when voting has closed.",
        choices=[
            NewChoice("chiara", "Chiara Conti"),
            NewChoice("elias", "Elias Berg"),
            NewChoice("ravi", "Ravi Menon"),
        ],
        opens_at=opens,
        closes_at=now + timedelta(days=90),
        results_visibility=Decision.Visibility.AFTER_CLOSE,
        ballots=ballots(
            ["rosa_delgado", "ruth_feldman", "leila_farouk", "hugo_martin", "sofia_lund", "marta_kovacs"],
            [(1, {"chiara": 5, "elias": 3, "ravi": 2}), (1, {"chiara": 2, "elias": 3, "ravi": 5})],
            tags=["culture"],
            between=(opens, now - timedelta(hours=3)),
            seed=6,
        ),
    )


def happen_today(made: Made, now: datetime) -> None:
    """Do what happens today, through the usual commands: the manager's draft, and an application."""
    services.create_decision(
        Membership.objects.get(pk=made.members["rosa_delgado"]).user,
        made.community.pk,
        title="Winter market: how many weekends?",
        description="A draft: only managers see it until it is published.",
        choices=[services.ChoiceInput(title) for title in ("One weekend", "Two weekends", "All of Advent")],
        closes_at=now + timedelta(days=30),
    )
    newcomer = User.objects.filter(name=ACCOUNTS["samuel_brandt"], is_demo=True).first()
    if newcomer is not None:
        message = "I moved to Mill Lane last month and would like to take part."
        services.apply_to_community(newcomer, made.community.pk, message=message)
