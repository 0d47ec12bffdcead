//go:build linux

// Bridge puts hw/mock's BME680 on a kernel I²C adapter. It makes, through
// /dev/uhid, a virtual Silicon Labs CP2112 (a USB to I²C bridge, see its
// datasheet and the application note AN495). The kernel's hid-cp2112 driver
// binds to it and registers an adapter that does plain I²C messages, so that
// i2c-dev and everything above it are the real thing.
//
//	bridge [-address 0x76] [-variant 0|1]
//
// Its control socket (package control) understands
//
//	nack N      the next N transfers find no device; all with N = -1, none with 0
//	hang ON     transfers never end
//	remove      unplugs the bridge
//	add         plugs it in again, under another number and name than before
//	address N   moves the sensor
//	chip N      makes the sensor say that it is chip N
//	weather     prints the air around the sensor, in JSON
//	chips ON    switches the other chips on: a BH1750 at 0x23, SHT21s at 0x40 and
//	            0x41, and a DS2482 at 0x18 with a DS18B20
//	set TEXT N  gives the converter of one of them (light, temperature, humidity,
//	            thermometer) a number
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"

	"pithings/hw/mock"
	"pithings/test/emulated/guest/control"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bridge: ")
	address := flag.Uint("address", 0x76, "of the sensor")
	variant := flag.Uint("variant", 0, "0 for a BME680, 1 for a BME688")
	flag.Parse()
	sensor := mock.NewBME680(mock.Environment{Variant: byte(*variant)}, 1, nil)
	b := &bridge{sensor: sensor, chips: newChips()}
	b.address.Store(uint32(*address))
	if err := b.add(); err != nil {
		log.Fatal(err)
	}
	log.Fatal(control.Serve(context.Background(), control.Bridge, b.answer))
}

func (b *bridge) answer(q control.Request) (r control.Reply, err error) {
	switch q.Do {
	case "nack":
		b.sensor.NACK(q.N)
	case "hang":
		b.hang.Store(q.On)
	case "address":
		b.address.Store(uint32(q.N))
	case "chip":
		b.sensor.Pose(byte(q.N))
	case "remove":
		err = b.remove()
	case "add":
		err = b.addElsewhere()
	case "weather":
		r.JSON, err = json.Marshal(b.sensor.Weather())
	case "chips":
		b.chips.mu.Lock()
		b.chips.on = q.On
		b.chips.mu.Unlock()
	case "set":
		err = b.chips.set(q.Text, q.N)
	default:
		err = fmt.Errorf("unknown request %q", q.Do)
	}
	return r, err
}
