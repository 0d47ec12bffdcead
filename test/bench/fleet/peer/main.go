// Command peer is what `pithings fleet` is measured beside: devices with Eclipse's client library.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

func main() {
	n := flag.Int("n", 1000, "devices")
	addr := flag.String("addr", "127.0.0.1:1883", "the broker")
	interval := flag.Duration("interval", 10*time.Second, "between two messages of a device")
	flag.Parse()
	var acked atomic.Uint64
	var connecting sync.WaitGroup
	began := time.Now()
	turn := make(chan struct{}, 64) // as many at a time as a fleet has
	for i := range *n {
		turn <- struct{}{}
		connecting.Go(func() {
			defer func() { <-turn }()
			name := fmt.Sprintf("dev-%04d", i+1)
			o := mqtt.NewClientOptions().AddBroker("tcp://" + *addr).SetClientID(name).SetOrderMatters(false)
			c := mqtt.NewClient(o)
			wait(c.Connect())
			wait(c.Subscribe("cmd/ac/"+name+"/req", 0, func(mqtt.Client, mqtt.Message) {}))
			flight := make(chan mqtt.Token, 20) // as many as a device of the fleet has
			go func() {
				time.Sleep(*interval * time.Duration(i%1000) / 1000) // a phase of its own
				for range time.Tick(*interval) {
					flight <- c.Publish("dt/ac/company1/area1/"+name+"/temp", 1, false, `{"temp": 30}`)
				}
			}()
			go func() {
				for t := range flight {
					wait(t)
					acked.Add(1)
				}
			}()
		})
	}
	connecting.Wait()
	fmt.Println("connected", time.Since(began).Seconds())
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt)
	<-end
	fmt.Println("acked", acked.Load())
}

func wait(t mqtt.Token) {
	if t.Wait(); t.Error() != nil {
		fmt.Fprintln(os.Stderr, t.Error())
		os.Exit(1)
	}
}
