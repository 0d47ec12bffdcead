package wire_test

import (
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"pithings/mqttlink/wire"
)

// A client connects, receives a message and answers it. The broker is the other end of a
// pipe.
func Example() {
	here, broker := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer broker.Close()
		_, _ = packets.ReadPacket(broker) // CONNECT
		_, _ = broker.Write([]byte("\x20\x02\x00\x00"))
		_, _ = broker.Write([]byte("\x32\x0e\x00\x08lamp/set\x00\x07on"))
		answer, _ := packets.ReadPacket(broker)
		fmt.Println(answer.(*packets.PublishPacket).TopicName)
		ack, _ := packets.ReadPacket(broker)
		fmt.Println("PUBACK of", ack.Details().MessageID)
	}()

	var c *wire.Conn
	c = wire.New(here, wire.Options{
		WriteTimeout: time.Second,
		MaxInbound:   1 << 20,
		Deliver: func(m wire.Message) {
			fmt.Printf("%s %s\n", m.Topic, m.Payload)
			c.Publish(&wire.Message{Topic: "lamp/state", Payload: m.Payload})
		},
	})
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion, connect.ClientIdentifier, connect.CleanSession = "MQTT", 4, "lamp", true
	_ = connect.Write(c)
	for {
		p, err := packets.ReadPacket(c) // all but messages and their acknowledgements
		if err != nil {
			break
		}
		fmt.Println("CONNACK", p.(*packets.ConnackPacket).ReturnCode)
	}
	<-done

	// Output:
	// CONNACK 0
	// lamp/set on
	// lamp/state
	// PUBACK of 7
}
