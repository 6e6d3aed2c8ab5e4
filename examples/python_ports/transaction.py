"""A transaction: committed if its block ends, rolled back if the block raises.

The use of @asynccontextmanager that most libraries for databases have.
"""

import asyncio
from contextlib import asynccontextmanager


class CannotPay(Exception):
    pass


class Bank:
    def __init__(self, **balances):
        self.balances = balances

    @asynccontextmanager
    async def transaction(self):
        draft = dict(self.balances)
        print("begin")
        try:
            yield draft
        except BaseException:
            await asyncio.sleep(0)
            print("roll back")
            raise
        else:
            await asyncio.sleep(0)
            self.balances = draft
            print("commit")

    async def transfer(self, amount):
        async with self.transaction() as accounts:
            accounts["ann"] -= amount
            if accounts["ann"] < 0:
                raise CannotPay(f"ann cannot pay {amount}")
            accounts["bob"] += amount
            # The commit comes first, and then the caller has the value.
            return accounts["bob"]

    async def first_that_can_be_paid(self, amounts):
        for amount in amounts:
            async with self.transaction() as accounts:
                if accounts["ann"] < amount:
                    continue
                accounts["ann"] -= amount
                print(f"paid {amount}")
                break


async def main():
    bank = Bank(ann=100, bob=0)
    print(f"bob has {await bank.transfer(30)}")
    try:
        await bank.transfer(500)
    except CannotPay as error:
        print(f"refused: {error}")
    await bank.first_that_can_be_paid([200, 20, 10])
    print(f"ann {bank.balances['ann']}, bob {bank.balances['bob']}")


asyncio.run(main())
