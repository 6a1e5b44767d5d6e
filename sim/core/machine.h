/* SPDX-License-Identifier: Apache-2.0 */
/* State of the simulated chip: what core, exec, time and mem share. Times are chip cycles. */
#ifndef TESSERA_SIM_CORE_MACHINE_H
#define TESSERA_SIM_CORE_MACHINE_H

#include "sim/core/zeroed.h"
#include "sim/mem/hbm.h"
#include "sim/mem/mesh.h"
#include "sim/time/calendar.h"
#include "tessera/sim.h"

enum {
    MAX_QUEUE = 16,       /* places of a unit queue */
    TRANSPOSE_SIDE = 64,  /* elements of the buffer's side */
    CHANNELS = 4,         /* DMA channels of a tile */
    MAX_REQUESTS = 512,   /* of a tile's DMA, in flight */
    MAX_DESCRIPTORS = 16, /* of one channel that have started and not posted */
    MAX_ACTIVE = 8,       /* of a unit: two mma and the tsync between and behind them */
    MAX_REGS = 16,        /* scalar registers a TCP word reads */
    MAX_IMMS = 8,
    MAX_LOOPS = 4,
    MAX_BANKS = 16,
    MAX_TILES = 64, /* a mask of tiles is one register */
    NO_REG = 0xFF,
};
#define NEVER UINT64_MAX

enum exec_kind {
    EX_NOP,
    EX_HALT,
    EX_WAIT,
    EX_JUMP,
    EX_BRANCH,
    EX_LOOP,
    EX_ALU,
    EX_LOAD,
    EX_STORE,
    EX_MMA,
    EX_SYNC,
    EX_DRAIN,
    EX_FILL,
    EX_VCALL,
    EX_COPY,
    EX_GATHER,
    EX_SCATTER,
    EX_TRANSPOSE,
    EX_TO_CONTROL,
    EX_RPOST,
    VX_RET,
    VX_LOOP,
    VX_AADD,
    VX_AADDI,
    VX_ALI,
    VX_LEN,
    VX_LD,
    VX_LDB,
    VX_ST,
    VX_LDS,
    VX_STS,
    VX_LDA,
    VX_SPLAT,
    VX_IMM,
    VX_IDX,
    VX_LANES,
    VX_REDUCE,
    VX_SEGMENT,
};

/* Order of register values and immediates of a unit instruction, by handler (predecode.c). */
enum {
    MMA_A,
    MMA_AS,
    MMA_B,
    MMA_BS,
    MMA_M,
    MMA_N,
    MMA_K,
    MMA_C,
    MMA_E,
    MMA_ASC,
    MMA_BSC
};
enum {
    MMA_AF,
    MMA_BF,
    MMA_AT,
    MMA_BT,
    MMA_ACC,
    MMA_ACROSS,
    MMA_SC
};
enum {
    DRAIN_ADDR,
    DRAIN_STRIDE,
    DRAIN_M,
    DRAIN_N,
    DRAIN_C,
    DRAIN_BIAS
};
enum {
    DRAIN_FMT,
    DRAIN_ACROSS,
    DRAIN_BI,
    DRAIN_INT
};
enum {
    COPY_DST,
    COPY_SRC,
    COPY_LEN,
    COPY_N1,
    COPY_SS1,
    COPY_DS1,
    COPY_N2,
    COPY_SS2,
    COPY_DS2,
    COPY_N3,
    COPY_SS3,
    COPY_DS3,
    COPY_MASK
};
enum {
    COPY_CH,
    COPY_MC
};
enum {
    GATHER_DST,
    GATHER_SRC,
    GATHER_LEN,
    GATHER_IDX,
    GATHER_N,
    GATHER_SS,
    GATHER_DS
};
enum {
    TRANS_DST,
    TRANS_SRC,
    TRANS_ROWS,
    TRANS_COLS,
    TRANS_SS,
    TRANS_DS
};
enum {
    TRANS_CH,
    TRANS_SIZE
};
enum {
    CONTROL_DST,
    CONTROL_SRC,
    CONTROL_N
};
enum {
    CONTROL_CH,
    CONTROL_ID
};
enum {
    RPOST_MASK
};
enum {
    RPOST_CH,
    RPOST_SEM
};

/* A small postfix program: rows' value, occupancy and lane expressions with names resolved. */
struct xnode {
    uint8_t kind; /* enum tsr_node_kind */
    uint8_t fn;   /* CALL: enum scalar_fn, or index of the vector primitive */
    uint8_t arity;
    uint8_t slot; /* OPERAND: source slot; PARAM: enum tsr_unit_name */
    int64_t value;
};
struct xprog {
    uint8_t n;
    bool
        cycles; /* occupancy or latency: functions of cycles; else of 64-bit scalars (isa/expr.h) */
    struct xnode node[TSR_MAX_NODES];
};

struct sem_slot {
    uint8_t id, amount; /* amount 0: unused */
};

/* One TCP word, ready to run. */
struct uop {
    uint8_t exec, unit, d, n_regs;
    bool no_pair;          /* MMA: formats that do not multiply, or not in this layout */
    uint8_t reg[MAX_REGS]; /* register numbers in the handler's order */
    uint8_t alu_fn,
        alu_src[2]; /* EX_ALU, EX_BRANCH of one call: the fast form; alu_fn 0xFF: none */
    struct sem_slot wait[2], post[2];
    int64_t imm[MAX_IMMS];
    uint32_t cycles;          /* TCP: occupancy */
    const struct xprog *expr; /* ALU, BRANCH: value; MMA: occupancy */
    const struct tsr_op *op;
};

/* One TVP word, ready to run. */
struct vop {
    uint8_t exec, memory, d, a, b, c; /* registers (vector or address); NO_REG: none */
    uint8_t format, size; /* of loads and stores; the address is a multiple of so many bytes */
    uint8_t regs;         /* vector registers of a load or store: lanes below 16 need two for a
                             block of shared microexponents */
    uint8_t n_src;
    uint16_t group, group_bytes; /* lanes that fill whole bytes together */
    uint16_t most;               /* lanes from here on count as inactive */
    uint16_t latency;
    int64_t imm;
    const struct xprog *expr;
    uint16_t
        primitive; /* REDUCE: index; LANES: index where the expression is one call, else 0xFFFF */
    const struct tsr_op *op;
};

/* Lanes that a load or store takes of those active. */
static inline int64_t vop_lanes(const struct vop *o, int64_t active)
{
    return o->exec == VX_LDB ? 1 : active < o->most ? active : o->most;
}

/* Bytes that it moves. */
static inline uint64_t vop_bytes(const struct vop *o, int64_t active)
{
    uint64_t n = (uint64_t)vop_lanes(o, active) * o->regs;
    return (n + o->group - 1) / o->group * o->group_bytes;
}

/* Whether the word is a load (of one or more registers). */
static inline bool vop_loads(const struct vop *o)
{
    return o->exec == VX_LD || o->exec == VX_LDB || o->exec == VX_LDS;
}

struct code {
    uint32_t n_tcp, n_tvp;
    struct uop *tcp;
    struct vop *tvp;
};

struct unit_insn {
    const struct uop *u;
    uint32_t pc;
    uint64_t queued; /* cycle of the TCP's issue; starts at queued + 1 or later */
    int64_t r[MAX_REGS];
    uint32_t *clocks, clock; /* race.c: what it knows, its own number */
};

struct queue {
    uint32_t head, count;
    uint64_t free_at;   /* earliest start of the next instruction, as the unit sees it */
    uint64_t accounted; /* cycles before this one have their reason */
    struct unit_insn slot[MAX_QUEUE];
    struct unit_insn active[MAX_ACTIVE]; /* TTU: several in flight; others use [0] */
    uint64_t active_start[MAX_ACTIVE];
    uint32_t n_active;
};

struct loop_frame {
    uint32_t start, end;
    int64_t left;
};

/* The word after `pc` under the innermost of *n hardware loops: their back edges cost nothing. */
static inline uint32_t loop_next(struct loop_frame *loop, uint32_t *n, uint32_t pc)
{
    for (; *n && pc == loop[*n - 1].end; --*n)
        if (--loop[*n - 1].left > 0)
            return loop[*n - 1].start;
    return pc;
}

struct tcp {
    uint32_t pc;
    uint64_t t; /* issue cycle of the next instruction */
    bool halted;
    uint8_t blocked; /* 0 no, 1 queue full, 2 semaphore */
    uint8_t blocked_queue;
    uint32_t n_loops;
    struct loop_frame loop[MAX_LOOPS];
    int64_t x[32];
};

struct semaphore {
    uint32_t count;
    uint8_t blame;      /* enum tsr_wait of the last poster */
    uint64_t last_post; /* cycle of the last post */
};

/* The kept line of a TSRAM port and the next cycle in which it can ask. */
struct port {
    uint64_t line, next;
};

struct tvp {
    int64_t a[16];                /* address registers as timing sees them */
    int64_t fa[16];               /* as the functional run sees them */
    uint32_t *v;                  /* [vregs][lanes] */
    uint64_t last_acc[MAX_BANKS]; /* last vlda of the running routine on a bank */
    /* of the running routine: its first word, its start, the address registers then */
    uint32_t entry;
    uint64_t started;
    int64_t before[16];
};

enum desc_kind {
    DESC_READ,
    DESC_WRITE,
    DESC_LOCAL,
    DESC_FORWARD,
    DESC_CAST,
    DESC_SINGLE
};

struct descriptor {
    struct unit_insn in;
    enum desc_kind kind;
    uint64_t start, first_request; /* cycles */
    /* Iteration in the far side's order: runs of `run` bytes, each made of pieces of `len`. */
    uint64_t far, near;
    int64_t fs[3], ns[3];
    int64_t n[3];
    uint64_t len, run;
    bool merged, indexed;
    uint64_t index_base;
    int64_t i[3];
    uint64_t off;
    bool all_issued;
    uint64_t left; /* bytes whose request has not completed (casts: per destination) */
    uint64_t mask;
    uint32_t *cast_left; /* casts: bytes left per tile */
    uint64_t requests;
    uint8_t blame;
    uint64_t done; /* cycle of completion; NEVER while open */
};

struct dma_channel {
    uint32_t head, count; /* ring of started, unposted descriptors */
    uint64_t retired;     /* the cycle after that of the last to complete: one a cycle */
    struct descriptor d[MAX_DESCRIPTORS];
};

struct dma {
    struct dma_channel ch[CHANNELS];
    uint32_t next_channel;      /* round robin */
    uint32_t issuing;           /* bit per channel whose newest descriptor has requests left */
    uint64_t next_issue;        /* a request a cycle */
    uint8_t blame;              /* what held the last request that completed; 0: none yet */
    uint32_t requests;          /* in flight */
    uint32_t forwards;          /* of them, to be sent on when their data come */
    uint64_t in_flight;         /* bytes */
    bool single;                /* a transpose or to_control is on its way: one at a time */
    struct port read, write;    /* TSRAM sides */
    uint64_t in_free, out_free; /* the tile's port to the cluster */
    uint32_t control_calls[256];
};

struct tile {
    uint32_t id, cluster;
    struct tcp tcp;
    struct queue q[TSR_QUEUES];
    struct semaphore sem[TSR_MAX_SEMAPHORES];
    struct tvp tvp;
    struct dma dma;
    struct port port_a, port_b, port_acc;
    uint64_t ttu_compute_end; /* of the last mma that started */
    uint64_t mma_from[MAX_BANKS], mma_until[MAX_BANKS], acc_until[MAX_BANKS];
    uint64_t rpost_free;
    uint64_t wake, pump_wake; /* pending wake-ups: of the units, of the DMA's requests; or NEVER */
    bool dirty, units_dirty;  /* to be settled; with its units, or its DMA requests only */
    bool tcp_posted, channel_free; /* in the cycle that is being settled */
    uint8_t *tsram;                /* null in timing-only runs */
    uint32_t *acc;                 /* [banks][4D][4D], null in timing-only runs */
    uint8_t *control;
    uint64_t end; /* cycle of the last effect */
};

/* What travels: one DMA request. */
/* One cache line: tens of thousands of them are on their way at once. */
struct packet {
    uint64_t far, near;
    uint64_t hbm_arrive, hbm_done;
    union {
        uint64_t clusters; /* casts, a copy: its destinations */
        uint64_t ack;      /* casts, the root: the last acknowledgement so far */
    };
    uint32_t len; /* bytes of a near piece */
    int32_t gap;  /* from a piece's end to the next one's start */
    union {
        uint32_t root;      /* casts, a copy */
        uint32_t next_free; /* in the list of free packets */
    };
    uint16_t first, bytes;         /* bytes of the first piece; of all */
    uint16_t tile, target;         /* issuing tile; cluster at the far side */
    uint8_t channel, slot, copies; /* copies, in the root: destinations not yet served */
    uint8_t kind : 7, write : 1;
};
_Static_assert(sizeof(struct packet) == 64, "a packet is one cache line");

/* Requests on their way to an HBM channel, in order of arrival. While a decision of the channel is
 * due they need no event: the decision takes in what has arrived by then. */
struct inbox {
    uint32_t head; /* packet, linked by hbm_done; UINT32_MAX: empty */
    bool decision_due;
    uint64_t arrival_due; /* cycle of the pending arrival event, or NEVER */
};

struct page_dir;

struct tsr_sim {
    const struct tsr_chip *chip;
    const struct tsr_isa *isa;
    uint32_t n_tiles, n_clusters;
    struct tile *tile;
    struct page_dir *hbm_data; /* sparse */
    uint8_t **csram;           /* per cluster, on demand */
    /* one run */
    const struct tsr_program *program;
    struct tsr_run_options opt;
    struct code code;
    struct calendar cal;
    struct tsr_hbm *hbm;
    struct inbox *inbox; /* per HBM channel; kept from run to run, as are the next three */
    void *hbm_memory;
    struct tsr_hbm_tables map;
    struct tsr_mesh mesh;
    struct packet *packet;
    struct zeroed tsram, acc, control; /* of the tiles */
    uint32_t packets, packet_cap, packet_free;
    struct tsr_stats stats;
    struct tsr_fault fault;
    uint64_t faults; /* raised so far; `fault` is the first in the machine's order */
    uint32_t *dirty; /* tiles to settle at the end of this cycle */
    uint32_t n_dirty;
    uint64_t now;
    bool values;       /* FULL or FUNCTIONAL */
    struct race *race; /* shadow clocks, or null */
    struct xprog *exprs;
    uint32_t n_exprs;
    /* parameters of the ISA the units use */
    uint32_t lat_tsram, dma_setup, drain_pipe, branch_taken, pipe;
    uint32_t line_shift, port_shift; /* log2 of line_bytes, port_bytes */
    void *scratch[3];                /* exec_mma: operand panels and the block of C */
    size_t scratch_bytes[3];
};

static inline struct unit_insn *queue_head(struct queue *q)
{
    return &q->slot[q->head];
}
static inline unsigned space_of(uint64_t address)
{
    return (unsigned)(address >> TSR_SPACE_SHIFT);
}
static inline uint64_t offset_of(uint64_t address)
{
    return address & (((uint64_t)1 << TSR_SPACE_SHIFT) - 1);
}

/* check.c: errors TSR_BAD_INPUT "KEY: what, what is allowed" */
enum tsr_status chip_check(const struct tsr_chip *chip, struct tsr_error *err);

/* predecode.c */
enum tsr_status predecode(struct tsr_sim *s, const struct tsr_program *p, struct code *out,
                          struct tsr_error *err);
void predecode_free(struct tsr_sim *s, struct code *code);
int64_t expr_scalar(const struct xprog *x, const int64_t *slots, const int64_t *env);

/* fault.c */
void raise_fault(struct tsr_sim *s, enum tsr_fault_kind kind, uint64_t cycle, uint32_t tile,
                 enum tsr_queue queue, uint32_t pc, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
void describe_deadlock(struct tsr_sim *s, char *text, size_t cap);

/* tcp.c: runs ahead until it blocks, halts or reaches a semaphore in the future. Returns the cycle
 * at which it wants to be called again, or NEVER. */
uint64_t tcp_run(struct tsr_sim *s, struct tile *t, uint64_t now);

/* semaphores (queue.c) */
bool sems_ready(const struct tile *t, const struct uop *u);
void sems_consume(struct tsr_sim *s, struct tile *t, enum tsr_queue q, struct unit_insn *in,
                  uint64_t cycle);
uint8_t sems_blame(const struct tile *t, const struct uop *u, uint64_t *when);
/* Instruction `in` of queue q of `from` posts semaphore `id` of tile `to`. */
void sem_post(struct tsr_sim *s, struct tile *from, enum tsr_queue q, const struct unit_insn *in,
              struct tile *to, uint32_t id, uint64_t cycle, uint8_t blame);
void posts(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in,
           uint64_t cycle, uint8_t blame);
void account(struct tsr_sim *s, struct queue *q, enum tsr_queue id, uint64_t until,
             enum tsr_wait why);
void account_wait(struct tsr_sim *s, struct tile *t, enum tsr_queue id, const struct unit_insn *in,
                  uint64_t start, uint8_t blame, uint64_t sem_when);

/* memory.c */
enum tsr_status memory_write(struct tsr_sim *s, uint64_t address, const void *data, uint64_t n);
enum tsr_status memory_read(const struct tsr_sim *s, uint64_t address, void *data, uint64_t n);
bool far_range_ok(const struct tsr_sim *s, uint64_t address, uint64_t n);
void memory_free(struct tsr_sim *s);

/* time/: each starts the instruction `in` in cycle `now` and puts its end into the calendar. */
void settle(struct tsr_sim *s, struct tile *t, uint64_t now);
void mark_dirty(struct tsr_sim *s, struct tile *t);
void mark_pump(struct tsr_sim *s, struct tile *t);
void start_mma(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now);
void start_acc(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now);
void start_tvp(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now);
/* Faults at the first vlda of the running routine on a bank that an mma owns, if there is one. */
void tvp_check_acc(struct tsr_sim *s, struct tile *t);
void start_dma(struct tsr_sim *s, struct tile *t, unsigned ch, struct unit_insn *in, uint64_t now);
uint64_t dma_pump(struct tsr_sim *s, struct tile *t, uint64_t now);
void dma_handle(struct tsr_sim *s, const struct event *e);
/* The checks an instruction's operands must pass before it starts; false after a fault. */
bool check_mma(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now);
/* A or B of an mma as the port sees it: rows of K, or with the K-strided layout k rows of M (N). */
struct operand {
    uint64_t address, bytes;      /* of a row's elements */
    uint64_t scales, scale_bytes; /* of a row's scales; no bytes: a format without */
    int64_t stride, rows;
};
struct operand operand_of(const struct tsr_sim *s, const struct unit_insn *in, bool b);
/* The cycle in which the first results of step i of n lie in the accumulators; the mma ends now. */
uint64_t mma_step_cycle(const struct tsr_sim *s, const struct unit_insn *in, uint32_t i,
                        uint32_t n);
/* Where element (i, j) of the rectangle at accumulator address c lies in tile.acc. */
static inline size_t acc_place(const struct tsr_sim *s, int64_t c, uint32_t across, size_t i,
                               size_t j)
{
    size_t d = s->chip->tile.ttu.dim, side = 4 * d;
    size_t row = (size_t)(c >> 4 & 15) * d + i, col = (size_t)(c & 15) * d + j;
    size_t bank = (size_t)(c >> 8) + ((row / side) << across) + col / side;
    return (bank * side + row % side) * side + col % side;
}
/* What row i of a fill writes at once: n words of one accumulator line; from and to count the row's
 * elements. Begins as zeros; false behind the last. */
struct acc_run {
    size_t place;
    uint32_t n, from, to;
};
static inline bool acc_run_next(const struct tsr_sim *s, const struct unit_insn *in, size_t i,
                                struct acc_run *w)
{
    uint32_t lanes = s->chip->tile.tvp.lanes, n = (uint32_t)in->r[DRAIN_N];
    if (w->to == n)
        return false;
    w->from = w->to;
    w->place = acc_place(s, in->r[DRAIN_C], (uint32_t)in->u->imm[DRAIN_ACROSS], i, w->from);
    w->n = lanes - (uint32_t)(w->place % lanes);
    w->n = w->n < n - w->from ? w->n : n - w->from;
    w->to = w->from + w->n;
    return true;
}
bool check_acc(struct tsr_sim *s, struct tile *t, struct unit_insn *in, uint64_t now);
bool describe_transfer(struct tsr_sim *s, struct tile *t, struct unit_insn *in,
                       struct descriptor *d, uint64_t now);

/* exec/: effects on values. */
void exec_unit(struct tsr_sim *s, struct tile *t, enum tsr_queue q, const struct unit_insn *in);
void exec_cast(struct tsr_sim *s, struct tile *from, struct tile *to, const struct unit_insn *in);
bool exec_control(struct tsr_sim *s, struct tile *t, const struct unit_insn *in);
void exec_mma(struct tsr_sim *s, struct tile *t, const struct unit_insn *in);
void exec_acc(struct tsr_sim *s, struct tile *t, const struct unit_insn *in);
void exec_tvp(struct tsr_sim *s, struct tile *t, const struct unit_insn *in);
void exec_dma(struct tsr_sim *s, struct tile *t, const struct unit_insn *in);

/* sim.c: nothing queued, running or to run */
bool run_complete(const struct tsr_sim *s);
void show_retired(const struct tsr_sim *s, const struct tile *t, enum tsr_queue q,
                  const struct unit_insn *in, uint64_t cycle);
/* functional.c: a run without time. */
void run_functional(struct tsr_sim *s);

#endif
