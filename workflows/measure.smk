rule measure:
    input:
        lambda wildcards: [f"{OUT}/train/{t.id}.npz" for t in PLAN.measure(wildcards.job).sources],
        lambda wildcards: [f"{OUT}/sample/{s.id}.npz" for s in PLAN.measure(wildcards.job).samples],
    output:
        OUT + "/measure/{job}.csv.gz",
        timing=OUT + "/timings/measure/{job}.json",
    log:
        OUT + "/logs/measure/{job}.log",
    benchmark:
        OUT + "/benchmarks/measure/{job}.tsv"
    params:
        rests_on=lambda wildcards: PLAN.fingerprint("measure", wildcards.job),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=lambda wildcards: 5 + int(3 * PLAN.minutes("measure", wildcards.job)),
    conda:
        "environment.yaml"
    shell:
        "{STAGE} measure --job {wildcards.job} > {log} 2>&1"
