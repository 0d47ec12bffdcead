// Package authority is a certificate authority in a folder, for brokers and devices of one's own:
//
//	ca.key, ca.pem           it signs, and does nothing else
//	server.key, server.pem   of the broker
//	devices/NAME/            an identity each (package provision), to be copied to its device
//	mosquitto.conf, acl      of a mosquitto that lets a device into its own topics alone
//
// Keys are on the curve P-256. A key is written before its certificate, and both before their names
// appear, so that a run which is cut off can be repeated. What is there is never overwritten, but for
// certificates by [Authority.Renew], which leaves their keys as they are: a renewed certificate fits
// the key wherever that is by now.
package authority
