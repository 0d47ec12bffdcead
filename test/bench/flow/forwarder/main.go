// Forwarder is the flow of the benchmark with the bare client library and nothing
// around it.
//
//	forwarder PORT NAME QOS
package main

import (
	"bytes"
	"log"
	"os"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: forwarder PORT NAME QOS")
	}
	name, qos := os.Args[2], os.Args[3][0]-'0'
	o := mqtt.NewClientOptions().AddBroker("tcp://127.0.0.1:" + os.Args[1]).SetClientID(name).SetProtocolVersion(4)
	c := mqtt.NewClient(o)
	wait(c.Connect())
	wait(c.Subscribe(name+"_MS/motion", qos, func(c mqtt.Client, _ mqtt.Message) {
		c.Publish(name+"_Camera/capture", qos, false, "{}")
	}))
	wait(c.Subscribe(name+"_Camera/capture/finished", qos, func(c mqtt.Client, m mqtt.Message) {
		c.Publish(name+"_Screen/display", qos, false, bytes.Replace(m.Payload(), []byte("lastClickedImage"), []byte("imageUri"), 1))
	}))
	select {}
}

func wait(t mqtt.Token) {
	if t.Wait(); t.Error() != nil {
		log.Fatal(t.Error())
	}
}
