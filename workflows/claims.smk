rule claim:
    output:
        f"{OUT}/claims/{{job}}.json",
        timing=f"{OUT}/timings/claim/{{job}}.json",
    log:
        f"{OUT}/logs/claim/{{job}}.log",
    benchmark:
        f"{OUT}/benchmarks/claim/{{job}}.tsv"
    conda:
        "environment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        rests_on=lambda wildcards: PLAN.fingerprint("claim", wildcards.job),
    shell:
        "python -m scorebench stage claim --job {wildcards.job} > {log} 2>&1"
