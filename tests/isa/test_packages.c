/* SPDX-License-Identifier: Apache-2.0 */
/* The SystemVerilog packages: verilator and yosys take them without a warning, and the decoders
 * say what tsr_decode says. labels: slow */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/chip.h"
#include "tests/support/harness.h"
#include "tests/support/isa_random.h"

enum {
    WORDS = 20000
};

static const char top[] =
    "module top (\n"
    "  input  logic [127:0] tcp_i,\n"
    "  input  logic [63:0] tvp_i,\n"
    "  output logic [8:0] tcp_o,\n"
    "  output logic [8:0] tvp_o,\n"
    "  output logic same_o\n"
    ");\n"
    "  tsr_isa_pkg::tcp_decoded_t tcp_d;\n"
    "  tsr_isa_pkg::tcp_op_e op_d;\n"
    "  always_comb begin\n"
    "    tcp_d = tsr_isa_pkg::tcp_decode(tcp_i);\n"
    "    op_d = tsr_isa_pkg::TCP_ADD;\n"
    "  end\n"
    "  assign same_o = tcp_d.op == op_d &&\n"
    "    tvp_i[tsr_isa_pkg::TVP_VADD_D_LSB +: tsr_isa_pkg::TVP_VADD_D_WIDTH] == 5'd3 &&\n"
    "    tcp_i[tsr_isa_pkg::TCP_MMA_AF_LSB +: 5] == tsr_format_pkg::FMT_BF16 &&\n"
    "    tcp_i[31:0] == tsr_chip_pkg::TILE_TTU_DIM;\n"
    "  assign tcp_o = tcp_d;\n"
    "  assign tvp_o = tsr_isa_pkg::tvp_decode(tvp_i);\n"
    "endmodule\n";

/* One line of words.hex: 9 bits of the answer for each stream, then the word. */
static const char bench[] =
    "module bench;\n"
    "  logic [151:0] line [0:19999];\n"
    "  logic [127:0] word;\n"
    "  logic [8:0] tcp, tvp;\n"
    "  int bad = 0;\n"
    "  initial begin\n"
    "    $readmemh(\"words.hex\", line);\n"
    "    for (int i = 0; i < 20000; i++) begin\n"
    "      word = line[i][127:0];\n"
    "      tcp = tsr_isa_pkg::tcp_decode(word);\n"
    "      tvp = tsr_isa_pkg::tvp_decode(word[63:0]);\n"
    "      if ({3'b0, tcp} != line[i][151:140]) begin\n"
    "        bad++;\n"
    "        $display(\"tcp %h: %h, wanted %h\", word, tcp, line[i][151:140]);\n"
    "      end\n"
    "      if ({3'b0, tvp} != line[i][139:128]) begin\n"
    "        bad++;\n"
    "        $display(\"tvp %h: %h, wanted %h\", word, tvp, line[i][139:128]);\n"
    "      end\n"
    "    end\n"
    "    if (bad == 0) $display(\"all equal\");\n"
    "    $finish;\n"
    "  end\n"
    "endmodule\n";

static bool have(const char *program)
{
    char command[100];
    snprintf(command, sizeof command, "command -v %s >which.txt 2>&1", program);
    bool found = system(command) == 0;
    if (!found)
        printf("skipped: %s is not installed\n", program);
    return found;
}

/* Runs a command that must succeed without writing anything. */
static void run_silent(const char *command)
{
    char whole[1200];
    snprintf(whole, sizeof whole, "( %s ) >out.txt 2>&1", command);
    int status = system(whole);
    char *text = tsr_test_read("out.txt", NULL);
    if (status != 0 || *text != '\0')
        fail_msg("%s: status %d\n%s", command, status, text);
    free(text);
}

static int generate(void **state)
{
    (void)state;
    char command[4200];
    const char *gen = getenv("TESSERA_GEN");
    if (gen == NULL) {
        printf("TESSERA_GEN is not set: run the tests by ctest\n");
        return 1;
    }
    snprintf(command, sizeof command, "'%s' sv sv", gen);
    tsr_test_write("top.sv", top, sizeof top - 1);
    tsr_test_write("bench.sv", bench, sizeof bench - 1);
    return system(command) != 0;
}

static void test_packages_verilator_finds_nothing(void **state)
{
    (void)state;
    char command[600];
    for (const char *const *chip = tsr_chip_names(); *chip != NULL; chip++) {
        snprintf(command, sizeof command,
                 "verilator --lint-only -Wall --top-module top sv/tsr_isa_pkg.sv "
                 "sv/tsr_format_pkg.sv sv/%s/tsr_chip_pkg.sv top.sv",
                 *chip);
        run_silent(command);
    }
}

static void test_packages_yosys_finds_nothing(void **state)
{
    (void)state;
    if (!have("yosys"))
        return;
    run_silent("yosys -q -e '.*' -p 'read_verilog -sv sv/tsr_isa_pkg.sv sv/tsr_format_pkg.sv "
               "sv/micro/tsr_chip_pkg.sv top.sv; hierarchy -check -top top; proc; opt; "
               "check -assert'");
}

/* What the decoder must say: 9 bits {legal, op}. */
static unsigned answer(const struct tsr_isa *isa, enum tsr_stream s, struct tsr_word w)
{
    struct tsr_insn in;
    unsigned code = w.w[0] & 0xff;
    if (s == TSR_STREAM_TVP)
        w.w[1] = 0;
    bool legal = tsr_decode(isa, s, w, &in, NULL) == TSR_OK;
    return (legal ? 0x100u : 0) | (isa->by_opcode[s][code] != 0 ? code : 0);
}

/* A word of the row, as it is encoded. */
static struct tsr_word word_of(const struct tsr_op *op, uint64_t *seed)
{
    struct tsr_insn in = tsr_test_insn(op, seed, 0, 0);
    struct tsr_word w;
    assert_int_equal(tsr_encode(&in, &w, NULL), TSR_OK);
    return w;
}

/* A line of words.hex; whether the word is legal in either stream. */
static unsigned want(FILE *f, const struct tsr_isa *isa, struct tsr_word w)
{
    unsigned tcp = answer(isa, TSR_STREAM_TCP, w), tvp = answer(isa, TSR_STREAM_TVP, w);
    fprintf(f, "%03x%03x%016llx%016llx\n", tcp, tvp, (unsigned long long)w.w[1],
            (unsigned long long)w.w[0]);
    return tcp >> 8 || tvp >> 8;
}

static void test_packages_decoders_say_what_c_says(void **state)
{
    (void)state;
    struct tsr_isa *isa = tsr_test_isa();
    uint64_t seed = tsr_test_seed("decoders", 7);
    FILE *f = fopen("words.hex", "w");
    assert_non_null(f);
    unsigned legal = 0, words = 0;
    /* Of every row each bit once wrong. */
    for (size_t i = 0; i < isa->n_ops; i++) {
        const struct tsr_op *op = &isa->ops[i];
        unsigned bits = op->stream == TSR_STREAM_TCP ? 128 : 64;
        for (unsigned b = 0; b < bits && words < WORDS; b++, words++) {
            struct tsr_word w = word_of(op, &seed);
            w.w[b / 64] ^= UINT64_C(1) << b % 64;
            legal += want(f, isa, w);
        }
    }
    assert_in_range(words, 64 * isa->n_ops, WORDS - 2 * isa->n_ops);
    for (; words < WORDS; words++) { /* the rest as they are, and some noise */
        struct tsr_word w = word_of(&isa->ops[words % isa->n_ops], &seed);
        if (words % 16 == 0)
            w = (struct tsr_word){{tsr_test_random(&seed), tsr_test_random(&seed)}};
        legal += want(f, isa, w);
    }
    assert_int_equal(fclose(f), 0);
    printf("%u of %d words are legal\n", legal, WORDS);
    assert_in_range(legal, WORDS / 4, WORDS * 9 / 10);
    tsr_isa_free(isa);
    /* Without --timing, unoptimised: built in half the time. */
    if (system("verilator --cc --exe --main --build -Wno-fatal -j 2 --Mdir obj -MAKEFLAGS "
               "OPT_FAST=-O0 -MAKEFLAGS OPT_GLOBAL=-O0 --top-module bench sv/tsr_isa_pkg.sv "
               "bench.sv >build.txt 2>&1") != 0)
        fail_msg("%s", tsr_test_read("build.txt", NULL));
    assert_int_equal(system("obj/Vbench >bench.txt 2>&1"), 0);
    char *text = tsr_test_read("bench.txt", NULL);
    if (strstr(text, "all equal") == NULL)
        fail_msg("%.2000s", text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packages_verilator_finds_nothing),
        cmocka_unit_test(test_packages_yosys_finds_nothing),
        cmocka_unit_test(test_packages_decoders_say_what_c_says),
    };
    if (!have("verilator"))
        return 77;
    return cmocka_run_group_tests(tests, generate, NULL);
}
