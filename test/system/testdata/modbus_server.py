"""A Modbus server of pymodbus: modbus_server.py tcp PORT | rtu DEVICE SPEED PARITY.

Unit 7 has values of all types, which pymodbus itself puts into the registers; no other unit answers.
"""
import sys

from pymodbus.constants import Endian
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.payload import BinaryPayloadBuilder
from pymodbus.server import StartSerialServer, StartTcpServer
from pymodbus.transaction import ModbusRtuFramer

holding = [0] * 300


def put(address, byteorder, wordorder, fill):
    builder = BinaryPayloadBuilder(byteorder=byteorder, wordorder=wordorder)
    fill(builder)
    for i, register in enumerate(builder.to_registers()):
        holding[address + i] = register


holding[0] = 215
holding[1] = 0x0200
for n, (byteorder, wordorder) in enumerate([(Endian.Big, Endian.Big), (Endian.Big, Endian.Little)]):
    put(10 + 20 * n, byteorder, wordorder, lambda b: b.add_32bit_float(-21.3))
    put(12 + 20 * n, byteorder, wordorder, lambda b: b.add_32bit_int(-70000))
    put(14 + 20 * n, byteorder, wordorder, lambda b: b.add_32bit_uint(4000000000))
    put(16 + 20 * n, byteorder, wordorder, lambda b: b.add_64bit_float(1013.25))
    put(20 + 20 * n, byteorder, wordorder, lambda b: b.add_64bit_int(-5000000000))
put(60, Endian.Big, Endian.Big, lambda b: b.add_string("pymodbus"))

store = ModbusSlaveContext(
    co=ModbusSequentialDataBlock(0, [True, False] * 40),
    di=ModbusSequentialDataBlock(0, [False, False, True] * 30),
    ir=ModbusSequentialDataBlock(0, [n * n for n in range(200)]),
    hr=ModbusSequentialDataBlock(0, holding),
    zero_mode=True,
)
context = ModbusServerContext(slaves={7: store}, single=False)
print("ready", flush=True)
if sys.argv[1] == "tcp":
    StartTcpServer(context=context, address=("127.0.0.1", int(sys.argv[2])), allow_reuse_address=True)
else:
    StartSerialServer(context=context, framer=ModbusRtuFramer, port=sys.argv[2], baudrate=int(sys.argv[3]), parity=sys.argv[4], timeout=0.05)
