/* As much of MQTT 3.1.1 as a blocking client on a good connection needs. Packets are
 * gathered in out and go with one write; what comes is handed to take(). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int sock;
static unsigned char in[65536], out[65536];
static size_t have, used;
static unsigned short id;

static void die(const char *what) { perror(what); exit(1); }

static void flush_out(void) {
	size_t done = 0;
	while (done < used) {
		ssize_t n = write(sock, out + done, used - done);
		if (n <= 0) die("write");
		done += n;
	}
	used = 0;
}

static void number(unsigned n) { out[used++] = n >> 8; out[used++] = n; }
static void text(const char *s, size_t n) { number(n); memcpy(out + used, s, n); used += n; }
static unsigned next_id(void) { if (++id == 0) id = 1; return id; }

static void length(size_t n) {
	for (; n > 127; n >>= 7) out[used++] = n | 128;
	out[used++] = n;
}

static void publish(int qos, const char *topic, const char *payload, size_t n) {
	size_t t = strlen(topic);
	out[used++] = 0x30 | qos << 1;
	length(2 + t + (qos ? 2 : 0) + n);
	text(topic, t);
	if (qos) number(next_id());
	memcpy(out + used, payload, n);
	used += n;
}

static void subscribe(int qos, const char *topic) {
	size_t t = strlen(topic);
	out[used++] = 0x82;
	length(2 + 2 + t + 1);
	number(next_id());
	text(topic, t);
	out[used++] = qos;
}

static void take(const char *topic, size_t t, const char *payload, size_t n);
static int subacks;

/* receive reads once and takes all whole packets. Without answers for ten seconds it ends
 * the program. */
static void receive(void) {
	struct pollfd p = {sock, POLLIN, 0};
	if (poll(&p, 1, 10000) == 0) { fprintf(stderr, "no message came within 10 s\n"); exit(1); }
	ssize_t got = read(sock, in + have, sizeof in - have);
	if (got <= 0) die("read");
	have += got;
	size_t at = 0;
	while (have - at >= 2) {
		size_t n = 0, size = 1;
		int shift = 0, whole = 0;
		for (; at + size < have && size < 5; shift += 7) {
			n |= (size_t)(in[at + size] & 127) << shift;
			if (!(in[at + size++] & 128)) { whole = 1; break; }
		}
		if (!whole || at + size + n > have) break;
		unsigned char *b = in + at + size;
		if (in[at] >> 4 == 3) {
			size_t t = b[0] << 8 | b[1], skip = 2 + t;
			if (in[at] & 6) { /* PUBACK goes out with what take() sends */
				unsigned char ack[] = {0x40, 2, b[skip], b[skip + 1]};
				memcpy(out + used, ack, 4);
				used += 4;
				skip += 2;
			}
			take((char *)b + 2, t, (char *)b + skip, n - skip);
		} else if (in[at] >> 4 == 9) {
			subacks++;
		}
		at += size + n;
	}
	memmove(in, in + at, have - at);
	have -= at;
	if (used) flush_out();
}

static void connect_to(const char *port, const char *client) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;
	if ((sock = socket(AF_INET, SOCK_STREAM, 0)) < 0 || connect(sock, (struct sockaddr *)&a, sizeof a)) die("connect");
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	out[used++] = 0x10;
	length(10 + 2 + strlen(client));
	text("MQTT", 4);
	memcpy(out + used, "\4\2\0\0", 4); /* clean session, no keep-alive */
	used += 4;
	text(client, strlen(client));
	flush_out();
	unsigned char ack[4];
	if (read(sock, ack, 4) != 4 || ack[0] != 0x20 || ack[3]) { fprintf(stderr, "no CONNACK\n"); exit(1); }
}

static int is(const char *topic, size_t n, const char *want) { return n == strlen(want) && !memcmp(topic, want, n); }
