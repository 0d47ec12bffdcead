// Package web is how a fleet is reached from outside: a small HTTP server, and the gate before it.
//
// The routes behind it change things by GET, as the playground's do, so whoever asks is looked at
// first ([Gate]): by the token if there is one, by the Host that it believes to talk with, and by
// what its browser says of the page that asks.
package web
