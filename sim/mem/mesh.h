/* SPDX-License-Identifier: Apache-2.0 */
/* The mesh between clusters: whole packets on links, X first then Y, one event per hop.
 *
 * Cluster c sits at x = c % config.x, y = c / config.x; east is x + 1, south is y + 1. Each
 * router has one outgoing link per port. Packets of up to 1 KiB cut through: the head reaches the
 * next router hop_cycles after its link starts on it, the rest follows at link_bytes per cycle.
 * The caller offers packets to a router in order of (cycle of the head's arrival, input port) and
 * gives each to tsr_mesh_hop, which reserves the link; buffers are unbounded, what is in flight is
 * bounded by the DMA windows of the tiles (hence no deadlock), and the backlog is reported. */
#ifndef TESSERA_SIM_MEM_MESH_H
#define TESSERA_SIM_MEM_MESH_H

#include <stdint.h>

#include "tessera/chip.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Output ports of a router; as input ports (where a packet comes from) their numbers give the
 * order among packets that arrive in one cycle. LOCAL is the cluster, STACK the HBM stack
 * attached there (it is no destination of a multicast). */
enum tsr_mesh_port {
    TSR_MESH_EAST,
    TSR_MESH_WEST,
    TSR_MESH_NORTH,
    TSR_MESH_SOUTH,
    TSR_MESH_LOCAL,
    TSR_MESH_STACK,
    TSR_MESH_PORTS,
    TSR_MESH_FORKS = TSR_MESH_STACK, /* ports a multicast can take: all before STACK */
    TSR_MESH_MAX_CLUSTERS = 64,      /* a set of clusters is one uint64_t */
};

struct tsr_mesh_link {
    uint64_t free_cycle;  /* the link takes its next packet from here on */
    uint64_t busy_cycles; /* cycles in which it moved data */
    uint64_t bytes, packets;
    uint64_t backlog_max; /* longest wait of a packet, cycles */
};

struct tsr_mesh {
    struct tsr_mesh_config config;
    uint32_t clusters;
    uint64_t column[TSR_MESH_MAX_CLUSTERS]; /* by x: the clusters of that column */
    uint64_t west[TSR_MESH_MAX_CLUSTERS], north[TSR_MESH_MAX_CLUSTERS]; /* of each cluster */
    struct tsr_mesh_link link[TSR_MESH_MAX_CLUSTERS][TSR_MESH_PORTS];
    /* the geometry as tables: divisions would cost more than the rest of a hop */
    uint8_t column_of[TSR_MESH_MAX_CLUSTERS];
    uint8_t next[TSR_MESH_MAX_CLUSTERS][4];                         /* 0xFF: the mesh ends */
    uint8_t route[TSR_MESH_MAX_CLUSTERS][TSR_MESH_MAX_CLUSTERS];    /* enum tsr_mesh_port */
    uint32_t request[TSR_MESH_MAX_CLUSTERS][TSR_MESH_MAX_CLUSTERS]; /* tsr_mesh_request_cycles */
    uint8_t link_shift; /* log2 of link_bytes, or 0xFF where it is no power of two */
};

struct tsr_mesh_stats {
    uint64_t packets, bytes, busy_cycles; /* sums over links: a packet counts once per hop */
    uint64_t busy_max;                    /* busy cycles of the busiest link ... */
    uint32_t busy_router, busy_port;      /* ... and which (the first of equals) */
    uint64_t backlog_max;
};

/* Errors: TSR_BAD_INPUT with one message "mesh.KEY: what, what is allowed". */
enum tsr_status tsr_mesh_check(const struct tsr_mesh_config *config, struct tsr_error *err);

/* Empties the mesh. `config` must have passed tsr_mesh_check; it is copied. */
void tsr_mesh_init(struct tsr_mesh *mesh, const struct tsr_mesh_config *config);

/* Cycles a link needs for a packet. */
static inline uint32_t tsr_mesh_occupancy_cycles(const struct tsr_mesh *mesh, uint32_t bytes)
{
    uint32_t up = bytes + mesh->config.link_bytes - 1;
    return mesh->link_shift != 0xFF ? up >> mesh->link_shift : up / mesh->config.link_bytes;
}

/* Reserves the link behind `port` of `router` for a packet whose head is there in `cycle`:
 * start = max(cycle, end of the packet before). Returns start. The head is at the next router (or
 * at the cluster or stack) in start + config.hop_cycles, the last byte
 * tsr_mesh_occupancy_cycles later: it can be used from
 * start + hop_cycles + occupancy on. start - cycle is the packet's wait.
 * `bytes` >= 1; the port's neighbour must exist (asserted). */
uint64_t tsr_mesh_hop(struct tsr_mesh *mesh, uint32_t router, enum tsr_mesh_port port,
                      uint64_t cycle, uint32_t bytes);

/* The port a packet for cluster `to` takes at `router`; LOCAL when it is there. */
enum tsr_mesh_port tsr_mesh_route(const struct tsr_mesh *mesh, uint32_t router, uint32_t to);

/* The router behind a port (EAST .. SOUTH); UINT32_MAX where the mesh ends. */
uint32_t tsr_mesh_neighbour(const struct tsr_mesh *mesh, uint32_t router, enum tsr_mesh_port port);

/* Splits the destinations of a multicast (bit c = cluster c) at a router into those behind each
 * port, along the X-first-then-Y tree: out[] are disjoint and together equal `destinations`.
 * A copy leaves through each port whose out[] is not 0, in the same cycle, at no extra cost. */
void tsr_mesh_fork(const struct tsr_mesh *mesh, uint32_t router, uint64_t destinations,
                   uint64_t out[TSR_MESH_FORKS]);

/* Links between two clusters. */
uint32_t tsr_mesh_hops(const struct tsr_mesh_config *config, uint32_t from, uint32_t to);

/* Control plane: cycles from a tile's request to its arrival at the target's cluster (CSRAM or
 * HBM stack), and equally for an acknowledgement or a remote post: request_cycles + hops *
 * request_hop_cycles. It has its own wires and never queues. */
uint32_t tsr_mesh_request_cycles(const struct tsr_mesh_config *config, uint32_t from, uint32_t to);

struct tsr_mesh_stats tsr_mesh_stats(const struct tsr_mesh *mesh);

#ifdef __cplusplus
}
#endif
#endif
