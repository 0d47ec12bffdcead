# A user's: registers of Modbus put together, bits taken apart, a check sum.
import struct
import re
from common.Logger import logger

BITS = ["run", "fault", "local", "ready"]
PATTERN = re.compile(r"^(?P<unit>[a-z]+)(?P<number>\d+)(?:_(?P<part>hi|lo))?$")

def crc16(data):
    crc = 0xFFFF
    for byte in bytearray(data):
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc

def to_float(hi, lo):
    return struct.unpack(">f", struct.pack(">HH", hi & 0xFFFF, lo & 0xFFFF))[0]

def signed(value, bits=16):
    return value - (1 << bits) if value & 1 << bits - 1 else value

def main(data_collect, wizard_api):
    parts, result = {}, {}
    for device, variables in data_collect["values"].items():
        for name in sorted(variables, reverse=True):
            value = variables[name]["raw_data"]
            m = PATTERN.match(name)
            if m and isinstance(value, int) and not isinstance(value, bool):
                parts.setdefault(m.group("unit"), {})[m.group("part") or "n" + m["number"]] = value
    for unit, regs in parts.items():
        if "hi" in regs and "lo" in regs:
            result[unit] = to_float(regs["hi"], regs["lo"])
        elif "n1" in regs:
            result[unit] = {"signed": signed(regs["n1"]), "bits": [b for i, b in enumerate(BITS) if regs["n1"] >> i & 1], "hex": "%04X" % (regs["n1"] & 0xFFFF)}
    frame = bytes([1, 3]) + struct.pack(">H", len(result))
    logger.info("frame %s crc %04x" % (frame.hex(), crc16(frame)))
    return result
