/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's readiness protocol (sd_notify(3)): one datagram to $NOTIFY_SOCKET. */
#ifndef HEARTH_SERVER_NOTIFY_H
#define HEARTH_SERVER_NOTIFY_H

/* `state`: "READY=1", "STOPPING=1" … Nothing happens without a NOTIFY_SOCKET. */
void notify_send(const char *state);

#endif
