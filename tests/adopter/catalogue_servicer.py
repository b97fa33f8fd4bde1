"""The adopter's service itself, which says which pod answered."""

import os

import grpc
import items_pb2
import items_pb2_grpc

ITEMS = ["anvil", "bucket", "candle"]


class Catalogue(items_pb2_grpc.CatalogueServicer):
    async def GetItem(self, request: items_pb2.Item, context: grpc.aio.ServicerContext) -> items_pb2.Answer:
        return self._answer([item for item in ITEMS if item == request.name])

    async def ListItems(self, request: items_pb2.Everything, context: grpc.aio.ServicerContext) -> items_pb2.Answer:
        return self._answer(ITEMS)

    @staticmethod
    def _answer(items: list[str]) -> items_pb2.Answer:
        return items_pb2.Answer(items=items, answered_by=os.environ["POD_IP"])
