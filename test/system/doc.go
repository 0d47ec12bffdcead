// Package system tests the built binary against the programs that users have:
// a real mosquitto, libjpeg's djpeg, a web client. Build tag: system.
package system
