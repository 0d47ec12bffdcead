// Package config reads the configuration of pithings: a YAML file that is read
// strictly, overridden by PITHINGS_… environment variables, checked as a whole
// and turned into a [Config] in which every default is filled in.
//
// The keys, their defaults, ranges and meanings stand in one place, the struct tags of
// [Config] and its parts, which package conf explains. Reading, environment variables,
// [Schema] and the test of [Example] all follow these tags. The keys of a kind of things,
// beside a thing's name and type, are those of its [things.Settings]. Two more tags are
// known there:
//
//	part:"line"              the value names a part: a line, a bus, a port, or a file
//	payload:"key"            the value is a key that the thing's payloads get
//
// Problems are reported together, one line each, with file, line and column; they never
// contain secrets.
package config
