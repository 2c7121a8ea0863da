"""frontrun on the functions of race.py: run by its own command in the peers' environment, it prints a line of JSON.

    frontrun python benchmarks/peer_race.py 2

Not covered: frontrun's schedules of single bytecodes, which `explore` does not have.
"""

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import frontrun  # type: ignore[import-not-found]  # in the peers' environment alone
from sqlmodel import Field, Session, SQLModel, create_engine, text

FOLDER = Path(tempfile.mkdtemp(prefix="taskref-frontrun-"))
SECONDS = 60  # for one question


class Stock(SQLModel, table=True):
    id: int = Field(primary_key=True)
    left: int


class Shop:
    """A fresh database with one thing in stock."""

    count = 0

    def __init__(self) -> None:
        Shop.count += 1
        self.engine = create_engine(f"sqlite:///{FOLDER}/{Shop.count}.db")
        SQLModel.metadata.create_all(self.engine)
        with Session(self.engine) as session:
            session.add(Stock(id=1, left=1))
            session.commit()


def buy(shop: Shop) -> None:
    with Session(shop.engine) as session:
        left = session.get_one(Stock, 1).left
    if left > 0:
        with Session(shop.engine) as session:
            session.get_one(Stock, 1).left -= 1
            session.commit()


def buy_at_once(shop: Shop) -> None:
    with Session(shop.engine) as session:
        session.connection().execute(text("UPDATE stock SET left = left - 1 WHERE id = 1 AND left > 0"))
        session.commit()


def not_oversold(shop: Shop) -> bool:
    with Session(shop.engine) as session:
        return session.get_one(Stock, 1).left >= 0


def ask(function: Any, actors: int) -> dict[str, Any]:
    """What frontrun says, after how many fresh databases, and in how many seconds of the processor."""
    before, began = Shop.count, time.process_time()
    try:
        said = frontrun.explore(Shop, function, not_oversold, count=actors, total_timeout=SECONDS)
        unclear = "inconclusive" in (said.explanation or "")  # a run of its own did not end
        verdict = "holds" if said.property_holds else "inconclusive" if unclear else "breaks"
    except Exception as error:
        verdict = f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
    return {"verdict": verdict, "runs": Shop.count - before, "seconds": time.process_time() - began}


if __name__ == "__main__":
    answers = [ask(function, int(sys.argv[1])) for function in (buy, buy_at_once)]
    print(json.dumps({"version": version("frontrun"), "answers": answers}))
