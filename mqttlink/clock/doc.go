// Package clock finds out whether this machine's clock can be trusted, and dates
// what was made before it could.
//
// A Raspberry Pi has no clock that runs while it is off. It boots in 1970, or at
// the moment at which it was last shut down (fake-hwclock, systemd-timesyncd), and
// learns the time from the network, perhaps hours later. A reading taken before
// that is given a [Stamp], a moment by the clock that runs from boot to shutdown,
// and is dated when the time is known.
//
// # When the clock is known
//
// One of these must hold; they are looked at about once a second until one does,
// and not any more after that:
//
//   - the kernel says that its clock is synchronised: adjtimex(2) without
//     STA_UNSYNC, or systemd-timesyncd does: /run/systemd/timesync/synchronized
//     is there;
//   - it was synchronised earlier in this boot, as the file of the boots shows,
//     and does not read earlier than this program was built;
//   - a real-time clock set it at boot: /sys/class/rtc/*/hctosys is 1, and
//     neither of the two reads earlier than this program was built;
//   - it does not read earlier than this program was built, and there is no time
//     service that would ever set it (see below); this is warned of;
//   - the options say that it is to be trusted;
//   - the system is not Linux: those that we run on there have a battery.
//
// # Which time services are seen
//
// systemd-timesyncd, chrony, ntpd, NTPsec and OpenNTPD, when they run (by what
// they put in /run, or by the name of a process) or are to be started at boot (by
// the links of systemd, System V init and OpenRC). In a container links do not
// count: the time is the host's there, and those services refuse to start. A
// place that may not be looked into counts as a service: to wait too long can be
// corrected with a setting, a wrong date cannot. A service under another name is not
// seen.
//
// # Traps
//
// ProtectClock= in a systemd unit, and SystemCallFilter=@system-service without
// adjtimex beside it, make reading adjtimex fail with EPERM; then timesyncd's file
// has to do, and [Verdict] says so. /run/systemd/timesync is hidden by
// InaccessiblePaths=/run and the like.
//
// # The file of the boots
//
// When the clock becomes known, the moment of this boot is written to a file, so
// that what is still queued after the next boot can be dated too: a line for each
// boot with its id, when it began, how that was known, and a checksum. The last
// 256 boots are kept. A folder that cannot be written costs no more than that.
package clock
