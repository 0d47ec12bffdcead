package mqttlink_test

import (
	"context"
	"fmt"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/broker"
	"pithings/mqttlink/topic"
)

func Example() {
	b, err := broker.Start("127.0.0.1:0", broker.Options{}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	o := mqttlink.DefaultOptions()
	o.Endpoint = b.Endpoint()
	link, err := mqttlink.New(o)
	if err != nil {
		fmt.Println(mqttlink.Explain(err))
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	ended := make(chan error)
	go func() { ended <- link.Run(ctx) }()

	heard := make(chan string)
	_, err = link.Subscribe("TG_MS/+", 1, func(_ context.Context, m mqttlink.Message) {
		heard <- fmt.Sprintf("%s %s", m.Topic, m.Payload)
	})
	if err != nil {
		fmt.Println(err)
	}
	err = link.Publish(ctx, mqttlink.Message{Topic: "TG_MS/motion", Payload: []byte(`{"isMotionDetected": true}`), QoS: 1})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-heard)
	stop()
	<-ended
	// Output: TG_MS/motion {"isMotionDetected": true}
}

func ExampleMatch() {
	fmt.Println(topic.Match("+/capture/#", "TG_Camera/capture/finished"))
	fmt.Println(topic.Match("#", "$SYS/broker/uptime"))
	// Output:
	// true
	// false
}
