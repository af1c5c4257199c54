rule sample:
    input:
        lambda wildcards: [f"{OUT}/train/{t.id}.npz" for t in PLAN.samples[wildcards.job].sources],
    output:
        OUT + "/sample/{job}.npz",
        timing=OUT + "/timings/sample/{job}.json",
    log:
        OUT + "/logs/sample/{job}.log",
    benchmark:
        OUT + "/benchmarks/sample/{job}.tsv"
    params:
        rests_on=lambda wildcards: PLAN.fingerprint("sample", wildcards.job),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=lambda wildcards: 5 + int(3 * PLAN.minutes("sample", wildcards.job)),
    conda:
        "environment.yaml"
    shell:
        "{STAGE} sample --job {wildcards.job} > {log} 2>&1"
