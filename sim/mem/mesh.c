/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/mem/mesh.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum {
    MAX_CYCLES = 1 << 16
};

#define REFUSE(...) return tsr_error_set(err, TSR_BAD_INPUT, "mesh." __VA_ARGS__)

enum tsr_status tsr_mesh_check(const struct tsr_mesh_config *c, struct tsr_error *err)
{
    if (c->x < 1 || c->x > TSR_MESH_MAX_CLUSTERS)
        REFUSE("x: %u, 1..%d is allowed", c->x, TSR_MESH_MAX_CLUSTERS);
    if (c->y < 1 || c->y > TSR_MESH_MAX_CLUSTERS / c->x)
        REFUSE("y: %u, 1..%u is allowed beside x = %u (at most %d clusters)", c->y,
               TSR_MESH_MAX_CLUSTERS / c->x, c->x, TSR_MESH_MAX_CLUSTERS);
    if (c->link_bytes < 1 || c->link_bytes > MAX_CYCLES)
        REFUSE("link_bytes: %u, 1..%d is allowed", c->link_bytes, MAX_CYCLES);
    if (c->hop_cycles < 1 || c->hop_cycles > MAX_CYCLES)
        REFUSE("hop_cycles: %u, 1..%d is allowed", c->hop_cycles, MAX_CYCLES);
    if (c->request_cycles < 1 || c->request_cycles > MAX_CYCLES)
        REFUSE("request_cycles: %u, 1..%d is allowed", c->request_cycles, MAX_CYCLES);
    if (c->request_hop_cycles > MAX_CYCLES)
        REFUSE("request_hop_cycles: %u, 0..%d is allowed", c->request_hop_cycles, MAX_CYCLES);
    return TSR_OK;
}

static uint8_t neighbour(const struct tsr_mesh_config *c, uint32_t router, int port)
{
    uint32_t x = router % c->x, y = router / c->x;
    switch (port) {
    case TSR_MESH_EAST:
        return (uint8_t)(x + 1 < c->x ? router + 1 : 0xFF);
    case TSR_MESH_WEST:
        return (uint8_t)(x > 0 ? router - 1 : 0xFF);
    case TSR_MESH_NORTH:
        return (uint8_t)(y > 0 ? router - c->x : 0xFF);
    default:
        return (uint8_t)(y + 1 < c->y ? router + c->x : 0xFF);
    }
}

/* X first, then Y. */
static enum tsr_mesh_port route(const struct tsr_mesh_config *c, uint32_t router, uint32_t to)
{
    uint32_t x = router % c->x, to_x = to % c->x;
    if (to_x != x)
        return to_x > x ? TSR_MESH_EAST : TSR_MESH_WEST;
    if (to != router)
        return to > router ? TSR_MESH_SOUTH : TSR_MESH_NORTH;
    return TSR_MESH_LOCAL;
}

void tsr_mesh_init(struct tsr_mesh *mesh, const struct tsr_mesh_config *config)
{
    memset(mesh, 0, sizeof *mesh);
    mesh->config = *config;
    mesh->clusters = config->x * config->y;
    bool power = (config->link_bytes & (config->link_bytes - 1)) == 0;
    mesh->link_shift = (uint8_t)(power ? __builtin_ctz(config->link_bytes) : 0xFF);
    for (uint32_t r = 0; r < mesh->clusters; r++) {
        mesh->column_of[r] = (uint8_t)(r % config->x);
        mesh->column[r % config->x] |= 1ull << r;
        for (int port = 0; port < 4; port++)
            mesh->next[r][port] = neighbour(config, r, port);
        for (uint32_t c = 0; c < mesh->clusters; c++) {
            mesh->route[r][c] = (uint8_t)route(config, r, c);
            mesh->request[r][c] = tsr_mesh_request_cycles(config, r, c);
            if (c % config->x < r % config->x)
                mesh->west[r] |= 1ull << c;
            if (c / config->x < r / config->x)
                mesh->north[r] |= 1ull << c;
        }
    }
}

uint32_t tsr_mesh_neighbour(const struct tsr_mesh *mesh, uint32_t router, enum tsr_mesh_port port)
{
    uint8_t next = port < 4 ? mesh->next[router][port] : 0xFF;
    return next == 0xFF ? UINT32_MAX : next;
}

uint64_t tsr_mesh_hop(struct tsr_mesh *mesh, uint32_t router, enum tsr_mesh_port port,
                      uint64_t cycle, uint32_t bytes)
{
    assert(router < mesh->clusters && port < TSR_MESH_PORTS && bytes > 0);
    assert(port >= TSR_MESH_LOCAL || mesh->next[router][port] != 0xFF);
    struct tsr_mesh_link *l = &mesh->link[router][port];
    uint64_t start = l->free_cycle > cycle ? l->free_cycle : cycle;
    uint32_t occupancy = tsr_mesh_occupancy_cycles(mesh, bytes);
    l->free_cycle = start + occupancy;
    l->busy_cycles += occupancy;
    l->bytes += bytes;
    l->packets++;
    if (start - cycle > l->backlog_max)
        l->backlog_max = start - cycle;
    return start;
}

enum tsr_mesh_port tsr_mesh_route(const struct tsr_mesh *mesh, uint32_t router, uint32_t to)
{
    assert(router < mesh->clusters && to < mesh->clusters);
    return (enum tsr_mesh_port)mesh->route[router][to];
}

void tsr_mesh_fork(const struct tsr_mesh *mesh, uint32_t router, uint64_t destinations,
                   uint64_t out[TSR_MESH_FORKS])
{
    assert(router < mesh->clusters);
    uint64_t here = 1ull << router;
    uint64_t column = mesh->column[mesh->column_of[router]];
    uint64_t west = mesh->west[router], north = mesh->north[router];
    out[TSR_MESH_EAST] = destinations & ~west & ~column;
    out[TSR_MESH_WEST] = destinations & west;
    out[TSR_MESH_NORTH] = destinations & column & north;
    out[TSR_MESH_SOUTH] = destinations & column & ~north & ~here;
    out[TSR_MESH_LOCAL] = destinations & here;
}

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

uint32_t tsr_mesh_hops(const struct tsr_mesh_config *c, uint32_t from, uint32_t to)
{
    return distance(from % c->x, to % c->x) + distance(from / c->x, to / c->x);
}

uint32_t tsr_mesh_request_cycles(const struct tsr_mesh_config *c, uint32_t from, uint32_t to)
{
    return c->request_cycles + tsr_mesh_hops(c, from, to) * c->request_hop_cycles;
}

struct tsr_mesh_stats tsr_mesh_stats(const struct tsr_mesh *mesh)
{
    struct tsr_mesh_stats s = {0};
    for (uint32_t r = 0; r < mesh->clusters; r++)
        for (uint32_t p = 0; p < TSR_MESH_PORTS; p++) {
            const struct tsr_mesh_link *l = &mesh->link[r][p];
            s.packets += l->packets;
            s.bytes += l->bytes;
            s.busy_cycles += l->busy_cycles;
            if (l->busy_cycles > s.busy_max) {
                s.busy_max = l->busy_cycles;
                s.busy_router = r;
                s.busy_port = p;
            }
            if (l->backlog_max > s.backlog_max)
                s.backlog_max = l->backlog_max;
        }
    return s;
}
