// Command peer is what `pithings fleet` is measured beside: devices with Eclipse's client library.
package main

import (
	"crypto/tls"
	"crypto/x509"
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
	ca, cert, key := flag.String("ca", "", "mutual TLS: the authority"), flag.String("cert", "", "the certificate of all devices"), flag.String("key", "", "its key")
	flag.Parse()
	var config *tls.Config
	scheme := "tcp://"
	if *ca != "" {
		scheme, config = "ssl://", mutual(*ca, *cert, *key)
	}
	var acked atomic.Uint64
	var connecting sync.WaitGroup
	began := time.Now()
	turn := make(chan struct{}, 64) // as many at a time as a fleet has
	for i := range *n {
		turn <- struct{}{}
		connecting.Go(func() {
			defer func() { <-turn }()
			name := fmt.Sprintf("dev-%04d", i+1)
			o := mqtt.NewClientOptions().AddBroker(scheme + *addr).SetClientID(name).SetOrderMatters(false).SetTLSConfig(config)
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

// mutual is one configuration for all devices. Like those of the library's examples, it keeps no
// sessions to resume.
func mutual(ca, cert, key string) *tls.Config {
	pem, err := os.ReadFile(ca)
	if err != nil {
		panic(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
}
